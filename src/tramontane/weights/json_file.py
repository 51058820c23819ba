"""JSON files of models, read into a type that says what they must hold."""

from pathlib import Path
from typing import TypeVar

import msgspec

from tramontane.errors import ModelStoreError

T = TypeVar("T")


def read_json(path: Path, kind: type[T]) -> T:
    """The file as a `kind`; what that does not ask for is ignored.

    Raises:
        ModelStoreError: there is no such file, or it holds something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        raise ModelStoreError(f"{path.name} cannot be used: {error}") from error


def read_json_if_there(path: Path, kind: type[T], default: T) -> T:
    """As `read_json`, but `default` if there is no such file."""
    return read_json(path, kind) if path.exists() else default
