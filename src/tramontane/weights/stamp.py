"""Whether the files of a model are the pinned ones, without reading 90 MB at every start.

A stamp in the model's folder remembers with which size and time of change a file had its pinned hash. A file
that has changed since is hashed again: touching or copying it does no harm, and altering it is seen.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

_STAMP: Final = ".stamp.json"


class PinnedFile(Protocol):
    """A file of a model, and what it must be."""

    @property
    def target(self) -> str:
        """Its place below the model's folder."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def sha256(self) -> str:
        """Of its content, in hexadecimal digits."""
        ...


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    size: int
    mtime_ns: int
    sha256: str


def holds_members(folder: Path, members: Sequence[PinnedFile]) -> bool:
    """Whether every member lies in `folder` with its pinned content. Milliseconds, if the stamp says so."""
    try:
        return _holds(folder, members)
    except OSError:
        return False


def write_stamp(folder: Path, members: Sequence[PinnedFile]) -> None:
    """Remember that every member in `folder` has its pinned content, as the caller has checked.

    Raises:
        OSError: the folder cannot be read or written.
    """
    _write(folder, _look(folder, members))


def altered_members(folder: Path, members: Sequence[PinnedFile]) -> list[str]:
    """The members that are missing or have another content, whatever the stamp says. Reads every byte."""
    return [member.target for member in members if not _is_pinned(folder / member.target, member)]


def forget(folder: Path) -> None:
    """Remove the stamp, so that every file is hashed at the next look."""
    (folder / _STAMP).unlink(missing_ok=True)


def _is_pinned(path: Path, member: PinnedFile) -> bool:
    try:
        return path.stat().st_size == member.size and _sha256(path) == member.sha256
    except OSError:
        return False


def _holds(folder: Path, members: Sequence[PinnedFile]) -> bool:
    found = _look(folder, members)
    if any(found[member.target].size != member.size for member in members):
        return False
    stamped = _read(folder)
    changed = [member for member in members if stamped.get(member.target) != found[member.target]]
    if any(_sha256(folder / member.target) != member.sha256 for member in changed):
        return False
    if changed:
        _write_if_possible(folder, found)
    return True


def _look(folder: Path, members: Sequence[PinnedFile]) -> dict[str, _Seen]:
    found = {}
    for member in members:
        status = (folder / member.target).stat()
        found[member.target] = _Seen(status.st_size, status.st_mtime_ns, member.sha256)
    return found


def _read(folder: Path) -> dict[str, _Seen]:
    try:
        return msgspec.json.decode((folder / _STAMP).read_bytes(), type=dict[str, _Seen])
    except (OSError, msgspec.DecodeError):
        return {}


def _write(folder: Path, found: dict[str, _Seen]) -> None:
    draft = folder / f"{_STAMP}.{os.getpid()}"
    draft.write_bytes(msgspec.json.encode(found))
    draft.replace(folder / _STAMP)


def _write_if_possible(folder: Path, found: dict[str, _Seen]) -> None:
    """In a read-only folder (a container's image) the files are simply hashed at every start."""
    try:
        _write(folder, found)
    except OSError:
        return


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
