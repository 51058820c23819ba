"""What all models of the wire have in common."""

from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

T = TypeVar("T")

Items = Annotated[list[T], Field(fail_fast=True)]
"""A list that reports its first bad item only: a million bad items are one error, not a million."""

MAX_FIELDS: Final = 256


class WireModel(BaseModel):
    """A closed object, as all of the hosted API's are: a field that it does not know is an error.

    Values are converted as the hosted API converts them ("5" is a number where one is due).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _holds_few_fields(cls, data: object) -> object:
        """Refuse an object with absurdly many fields as a whole, not with an error for each."""
        if isinstance(data, dict) and len(data) > MAX_FIELDS:
            raise PydanticCustomError(
                "too_many_fields",
                "Object should have at most {max_fields} fields",
                {"max_fields": MAX_FIELDS},
            )
        return data
