"""How processes that share a database learn that accounts, plans, limits or prices have changed.

Whoever keeps something that it has read from the database keeps the revision it was read at beside it, read
*before* the query, and asks again when the revision is another one.
"""

import logging
import os
import time
from pathlib import Path
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

logger = logging.getLogger(__name__)


def revision_in_doubt() -> int:
    """Negative, as no real revision is, and another one each second: nothing is trusted for longer."""
    return -1 - int(time.monotonic())


class Changes(Protocol):
    """Announces changes to every process with the same database, this one too."""

    @property
    def revision(self) -> int:
        """Another number after any process has announced a change; read within microseconds."""
        ...

    async def start(self) -> None:
        """Begin to hear of changes."""
        ...

    async def announce(self, connection: AsyncConnection) -> None:
        """Say, within the transaction that changes something, that it does."""
        ...

    def committed(self) -> None:
        """Say that this transaction is committed."""
        ...

    async def close(self) -> None:
        """Hear no more."""
        ...


class FileChanges:
    """The size of a small file beside the database, which grows by one byte with each change.

    A size is exact where a time stamp would not be: two changes within one tick of the clock are two.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def revision(self) -> int:
        """The number of changes so far."""
        try:
            return os.stat(self._path).st_size  # noqa: PTH116  a third of the time of Path.stat
        except OSError:  # somebody has removed it
            return revision_in_doubt()

    async def start(self) -> None:
        """Make the file, for the owner alone, unless it is there."""
        os.close(self._open())

    async def announce(self, connection: AsyncConnection) -> None:
        """Nothing: the file knows no transactions."""

    def committed(self) -> None:
        """Grow the file. The change is made: that others cannot be told must not look as if it were not."""
        try:
            file = self._open()
            try:
                os.write(file, b".")
            finally:
                os.close(file)
        except OSError as error:
            logger.warning("Other processes may notice a change a little later: %s: %s", self._path, error)

    async def close(self) -> None:
        """Nothing is open."""

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
