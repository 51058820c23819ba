"""What was fetched from a hub, remembered beside it: `.manifest.json` in the model's folder.

The hub says what a file must be while it is fetched; the manifest says it ever after, without network.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from tramontane.weights.source import HubSource

_MANIFEST: Final = ".manifest.json"


class StoredFile(msgspec.Struct, frozen=True):
    """A file of the model, and its content."""

    target: str
    """Its place below the model's folder."""
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A complete model."""

    format: int = 1
    source: HubSource
    commit: str
    endpoint: str
    license: str | None
    fetched_at: str
    """In ISO 8601, UTC."""
    entry: str
    """The file that is the model; empty if the folder is."""
    files: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str:
        """Stands for the content of the model: of its one file, or of the list of its files' hashes."""
        if self.entry:
            return next(file.sha256 for file in self.files if file.target == self.entry)
        return _of_all(self.files)


def _of_all(files: Sequence[StoredFile]) -> str:
    lines = sorted(f"{file.sha256}  {file.target}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in `folder`; None if there is none that can be read."""
    try:
        return msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put it beside the files that it lists.

    Raises:
        OSError: it cannot be written.
    """
    (folder / _MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
