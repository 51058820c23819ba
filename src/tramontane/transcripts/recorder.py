"""Writes transcripts beside the requests, never in their way, and deletes those that are due."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from tramontane.core.clock import Clock
from tramontane.errors import StorageError
from tramontane.storage.database import Database
from tramontane.transcripts import repository
from tramontane.transcripts.entities import Retention, Said, Transcript
from tramontane.transcripts.service import TranscriptService
from tramontane.transcripts.shortening import shortened, shortened_answers

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 256
"""Requests that wait to be written; more are not kept, for what they hold may be large."""
SWEEP_SECONDS: Final = 600.0
"""How much longer than it should a transcript may live."""
_GROUP: Final = 32


class TranscriptRecorder:
    """Between `start` and `close`. It deletes what is due also where nothing is recorded any more."""

    def __init__(self, database: Database, clock: Clock, retention: Retention) -> None:
        self._database = database
        self._service = TranscriptService(database, clock)
        self._retention = retention
        self._waiting: deque[Said] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._lost = 0

    def start(self) -> None:
        """Begin to write, and to delete what is due."""
        self._tasks = [asyncio.create_task(self._write_all()), asyncio.create_task(self._sweep())]

    def note(self, said: Said) -> None:
        """Keep it soon; returns at once."""
        if len(self._waiting) >= MAX_WAITING:
            self._lost += 1
            return
        self._waiting.append(said)
        self._idle.clear()
        self._work.set()

    async def close(self, patience: float = 5.0) -> None:
        """Write what is left, for as long as `patience` seconds."""
        if not self._tasks:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._idle.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._tasks = []

    async def _write_all(self) -> None:
        while await self._work.wait():
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(_GROUP, len(self._waiting)))]
                await self._write(group)
            self._work.clear()
            self._idle.set()

    async def _write(self, group: Sequence[Said]) -> None:
        """What the database does not take is lost: requests are not kept in memory for their text."""
        try:
            found = await asyncio.to_thread(lambda: [_transcript(said) for said in group])
            async with self._database.transaction() as connection:
                await repository.add(connection, found)
        except StorageError as error:
            self._lost += len(group)
            logger.warning("%d transcripts are lost: %s", self._lost, error)
        except Exception:
            self._lost += len(group)
            logger.exception("%d transcripts are lost", self._lost)
        else:
            if self._lost:
                logger.warning("%d transcripts are lost: more came than can be written", self._lost)
            self._lost = 0

    async def _sweep(self) -> None:
        while True:
            try:
                await self._service.remove_due(self._retention)
            except StorageError as error:
                logger.warning("Transcripts that are due are deleted later: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)


def _transcript(said: Said) -> Transcript:
    return Transcript(
        request_id=said.request_id,
        created_at=said.created_at,
        organization_id=said.principal.organization_id,
        workspace_id=said.principal.workspace_id,
        request=shortened(said.request.model_dump(mode="json", exclude_unset=True)),
        answers=shortened_answers(said.answers),
    )
