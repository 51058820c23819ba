"""The keys and values of a GGUF file, asked for by the type that they must have."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tramontane.errors import ModelStoreError

Numbers = npt.NDArray[np.generic]
MetadataValue = str | int | float | bool | Sequence[str] | Numbers


T = TypeVar("T")


class Metadata:
    """Every method raises ModelStoreError if a value has another type, or is missing without a default."""

    def __init__(self, values: Mapping[str, MetadataValue]) -> None:
        self._values = values

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        return self._value(key, str, default)

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number."""
        return self._value(key, int, default)

    def number(self, key: str, default: float | None = None) -> float:
        """Any number."""
        match self._values.get(key):
            case int() as whole if not isinstance(whole, bool):
                return float(whole)
            case _:
                return self._value(key, float, default)

    def flag(self, key: str, *, default: bool) -> bool:
        """A boolean."""
        return self._value(key, bool, default)

    def strings(self, key: str) -> Sequence[str]:
        """An array of strings."""
        return self._value(key, list, None)

    def numbers(self, key: str) -> Numbers:
        """An array of numbers."""
        return self._value(key, np.ndarray, None)

    def _value(self, key: str, kind: type[T], default: T | None) -> T:
        value = self._values.get(key, default)
        if value is None:
            raise ModelStoreError(f"The key {key} is missing in the GGUF file")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ModelStoreError(
                f"The key {key} of the GGUF file is {type(value).__name__}, not {kind.__name__}"
            )
        return value
