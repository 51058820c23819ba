"""When keys were last used: gathered in memory, written now and then, never on the way of a request."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from tramontane.accounts import repository
from tramontane.accounts.entities import AdminKey, ApiKey, Key
from tramontane.core.clock import Clock
from tramontane.errors import StorageError
from tramontane.storage.database import Database

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 60.0
"""How old the last use that others see may be; what a process that is killed loses."""


class LastUse:
    """Gathers uses and writes the latest of each key."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._used_at: dict[type[Key], dict[str, int]] = {ApiKey: {}, AdminKey: {}}
        self._task: asyncio.Task[None] | None = None

    def note(self, key: Key) -> None:
        """The key was used now."""
        self._used_at[type(key)][key.id] = int(self._clock.now())

    async def flush(self) -> None:
        """Write what was gathered. If the database cannot take it now, it is kept for the next time."""
        gathered = {kind: uses for kind, uses in self._used_at.items() if uses}
        if not gathered:
            return
        self._used_at = {kind: {} for kind in self._used_at}
        try:
            async with self._database.transaction() as connection:
                for kind, uses in gathered.items():
                    await repository.note_uses(connection, kind, uses)
        except StorageError as error:
            logger.warning("When keys were last used will be written later: %s", error)
            self._keep(gathered)

    def start(self) -> None:
        """Flush every `FLUSH_SECONDS` from now on."""
        self._task = asyncio.create_task(self._flush_now_and_then())

    async def close(self) -> None:
        """Flush a last time."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    def _keep(self, gathered: Mapping[type[Key], Mapping[str, int]]) -> None:
        for kind, uses in gathered.items():
            self._used_at[kind] = {**uses, **self._used_at[kind]}

    async def _flush_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
