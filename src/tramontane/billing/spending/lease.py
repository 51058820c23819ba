"""Reservations of a process that was killed are released by the others.

Every process writes a number that grows, every `BEAT` seconds. Whose number has not changed for `LEASE`
seconds, by the clock of whoever looks, is dead: the clocks of two machines are never compared.
"""

import asyncio
import logging
import uuid
from asyncio import Task
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from sqlalchemy import Connection

from tramontane.billing.ledger.repository import end_reservations_of
from tramontane.billing.spending import repository
from tramontane.core.clock import Clock
from tramontane.errors import StorageError
from tramontane.storage.database import Database

logger = logging.getLogger(__name__)

BEAT: Final = 10.0
LEASE: Final = 30.0
"""Seconds. What a dead process held is free again after `LEASE + BEAT`, if another one runs."""


class Lease:
    """The life sign of this process, and its eye on the others. Between `start` and `close`.

    It rests while `is_needed` says no: without spending limits, nothing is written every few seconds.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        is_needed: Callable[[], Awaitable[bool]],
        *,
        beat: float = BEAT,
    ) -> None:
        self.holder_id = str(uuid.uuid4())
        self._database = database
        self._clock = clock
        self._is_needed = is_needed
        self._beat = beat
        self._count = 0
        self._seen: dict[str, tuple[int | None, float]] = {}
        """Of each other process: its beat, and when that was first seen."""
        self._task: Task[None] | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._task = asyncio.create_task(self._run(), name="reservation lease")

    async def close(self) -> None:
        """Release what this process still holds, and end."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        if self._count:
            try:
                await self._release(self.holder_id)
            except StorageError as error:
                logger.warning("reservations of this process are released by the others, later: %s", error)

    async def look(self) -> None:
        """Show life, and release what the dead have left.

        Raises:
            StorageError: the database cannot be used.
        """
        self._count += 1
        await self._database.write(partial(repository.beat, holder_id=self.holder_id, count=self._count))
        async with self._database.snapshot() as connection:
            others = dict(await repository.holders(connection))
        others.pop(self.holder_id, None)
        for dead in self._dead(others):
            released = await self._release(dead)
            logger.warning("released %d reservations of a process that ended without doing so", released)

    def _dead(self, others: dict[str, int | None]) -> list[str]:
        now = self._clock.monotonic()
        seen = {
            holder: before if (before := self._seen.get(holder)) and before[0] == beat else (beat, now)
            for holder, beat in others.items()
        }
        dead = [holder for holder, (_, since) in seen.items() if now - since >= LEASE]
        self._seen = {holder: sign for holder, sign in seen.items() if holder not in dead}
        return dead

    async def _release(self, holder_id: str) -> int:
        def release(connection: Connection) -> int:
            repository.remove_holder(connection, holder_id)
            return end_reservations_of(connection, holder_id)

        return await self._database.write(release)

    async def _run(self) -> None:
        while True:
            try:
                if await self._is_needed():
                    await self.look()
            except StorageError as error:
                logger.warning("reservations of dead processes cannot be looked for: %s", error)
            await asyncio.sleep(self._beat)
