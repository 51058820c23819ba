"""PostgreSQL's `NOTIFY` as the bearer of changes: sent with the commit, heard on a connection of its own."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.errors import StorageError
from tramontane.storage.changes import revision_in_doubt

logger = logging.getLogger(__name__)

CHANNEL: Final = "tramontane_changes"
TRUST_SECONDS: Final = 1.0
"""For how long no news from a silent connection is good news."""
_HEARTBEAT_SECONDS: Final = 0.3
_PATIENCE_SECONDS: Final = 5.0
"""After this a connection that does not answer is given up."""

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class _DeafError(Exception):
    """What was announced over a connection did not come back on it."""


_FAILURES: Final = (StorageError, _DeafError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class ListeningChanges:
    """Counts the notifications that came, on a connection that is asked for a sign of life all the time.

    While it gives none, the revision changes every second: nothing that was read is trusted for longer.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._id = uuid.uuid4().hex
        self._count = 0
        self._heard_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._problem: str | None = None

    @property
    def revision(self) -> int:
        """The number of changes heard of; negative, and another one each second, while the line is silent."""
        is_trusted = time.monotonic() - self._heard_at < TRUST_SECONDS
        return self._count if is_trusted else revision_in_doubt()

    async def start(self) -> None:
        """Listen from now on, and again whenever the connection was lost."""
        first_attempt = asyncio.Event()
        self._task = asyncio.create_task(self._keep_listening(first_attempt))
        await first_attempt.wait()

    async def announce(self, connection: AsyncConnection) -> None:
        """Have PostgreSQL notify everyone when the transaction is committed."""
        await connection.execute(select(func.pg_notify(CHANNEL, self._id)))

    def committed(self) -> None:
        """Count it at once; its notification, which is still on its way to us too, will not count."""
        self._count += 1

    async def close(self) -> None:
        """Close the connection."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _keep_listening(self, attempted: asyncio.Event) -> None:
        while True:
            try:
                await self._listen(attempted)
            except (
                StorageError,
                _DeafError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                OSError,
            ) as error:
                self._log_once(str(error) or type(error).__name__)
            finally:
                self._heard_at = float("-inf")
                attempted.set()
            await asyncio.sleep(TRUST_SECONDS)

    async def _listen(self, attempted: asyncio.Event) -> None:
        connection = await self._connect()
        try:
            await self._check_that_it_hears(connection)
            if self._problem is not None:
                logger.info("Changes that other processes make are heard of at once again")
                self._problem = None
            while True:
                asked_at = time.monotonic()
                await connection.execute("SELECT 1", timeout=_PATIENCE_SECONDS)
                self._heard_at = asked_at
                attempted.set()
                await asyncio.sleep(_HEARTBEAT_SECONDS)
        finally:
            connection.terminate()

    async def _check_that_it_hears(self, connection: asyncpg.Connection) -> None:
        """A pooler between us and PostgreSQL may take `LISTEN` and yet deliver nothing."""
        probe = uuid.uuid4().hex
        heard = asyncio.Event()

        def hear(_connection: object, _process: int, _channel: str, payload: object) -> None:
            if payload == probe:
                heard.set()
            elif payload != self._id:
                self._count += 1

        await connection.add_listener(CHANNEL, hear)
        self._count += 1  # whatever was missed until now
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, probe, timeout=_PATIENCE_SECONDS)
        try:
            await asyncio.wait_for(heard.wait(), _PATIENCE_SECONDS)
        except TimeoutError:
            raise _DeafError(
                "notifications do not arrive; if there is a pooler, it must pool sessions, not transactions"
            ) from None

    def _log_once(self, problem: str) -> None:
        if problem != self._problem:
            logger.warning(
                "Changes that other processes make are now heard of within a second, not at once: %s", problem
            )
        self._problem = problem
