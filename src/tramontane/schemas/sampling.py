"""Fields that chat and fill-in-the-middle share, with the hosted ranges."""

from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from tramontane.schemas.base import Items

MAX_TEMPERATURE: Final = 1.5
MAX_SEED: Final = 2**64 - 1
MAX_METADATA_BYTES: Final = 16 * 1024
"""OpenAI's clients may send half of it: 16 values of 512 characters."""

Temperature = Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)] | None
"""None is the model's own default."""
TopP = Annotated[float, Field(gt=0, le=1)] | None
TokenCount = Annotated[int, Field(ge=0)] | None
Stop = str | Items[str] | None
"""Text that ends the answer and is not part of it."""
RandomSeed = Annotated[int, Field(ge=0, le=MAX_SEED)] | None
Penalty = Annotated[float, Field(ge=-2, le=2)] | None


def _is_small(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(orjson.dumps(metadata))
    except orjson.JSONEncodeError as error:
        raise PydanticCustomError("too_deep", "Object is nested too deeply to be kept") from error
    if size > MAX_METADATA_BYTES:
        raise PydanticCustomError(
            "too_long",
            "Object should have at most {max_length} bytes as JSON",
            {"max_length": MAX_METADATA_BYTES},
        )
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_is_small)] | None
"""Whatever the client wants to find again beside the request; has no effect on the answer."""
