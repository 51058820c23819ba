"""One task a process that writes everything of billing, in groups.

While one transaction is committed, what comes meanwhile gathers for the next: alone, a request waits for one
commit; in a crowd, hundreds share one. Nothing is dropped while the process lives: what cannot be written is
kept and tried again, and whoever waits for it is told so after `patience`.
"""

import asyncio
import logging
from asyncio import Future, Task
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

from tramontane.billing.ledger import repository
from tramontane.billing.ledger.batch import Batch
from tramontane.billing.ledger.row import LedgerRow
from tramontane.billing.spending.claims import Claim, Refusal
from tramontane.core.clock import Clock
from tramontane.errors import LedgerUnavailableError, StorageError
from tramontane.storage.database import Database

logger = logging.getLogger(__name__)

MAX_GROUP: Final = 512
"""Rows, and claims, of one transaction."""
MAX_UNWRITTEN: Final = 1000
"""Rows that wait in memory for a database that fails, before new requests are refused."""
PATIENCE: Final = 5.0
"""Seconds after which a request is told that the database cannot be written; a failover is often quicker."""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


@dataclass(eq=False, slots=True)
class _Row:
    row: LedgerRow
    reserved: bool
    since: float
    waiting: list[tuple[float, Future[None]]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Claim:
    claim: Claim
    since: float
    answer: Future[Refusal | None]
    tried: bool = False
    """It may have been written although the database did not say so."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not yet committed."""

    rows: int
    seconds: float
    """How long the oldest row has waited."""
    failures: int
    """Transactions that have failed since the start."""


@dataclass(frozen=True, slots=True)
class _Group:
    rows: Sequence[_Row]
    claims: Sequence[_Claim]
    released: Sequence[str]

    def batch(self) -> Batch:
        return Batch(
            rows=[entry.row for entry in self.rows],
            claims=[entry.claim for entry in self.claims],
            released=[
                *self.released,
                *(entry.row.request_id for entry in self.rows if entry.reserved),
                *(entry.claim.request_id for entry in self.claims if entry.tried),
            ],
        )


class LedgerWriter:
    """Writes what it is given, as soon as it can and once only. Between `start` and `close`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        patience: float = PATIENCE,
        on_commit: Callable[[int, float], None] | None = None,
    ) -> None:
        self._database = database
        self._on_commit = on_commit
        self._all_failures = 0
        self._clock = clock
        self._patience = patience
        # Each in the order of arrival. What is being written is still there: it leaves when it is committed.
        self._rows: dict[str, _Row] = {}
        self._claims: dict[str, _Claim] = {}
        self._released: dict[str, None] = {}
        self._group_size = MAX_GROUP
        self._failures = 0
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: Task[None] | None = None

    @property
    def unwritten(self) -> int:
        """Rows that are kept in memory only."""
        return len(self._rows)

    @property
    def backlog(self) -> Backlog:
        """For whoever watches over it."""
        now = self._clock.monotonic()
        since = min((entry.since for entry in self._rows.values()), default=now)
        return Backlog(len(self._rows), now - since, self._all_failures)

    @property
    def is_full(self) -> bool:
        """Whether the database cannot be written and so much waits for it that no request may begin."""
        return self._failures > 0 and len(self._rows) >= MAX_UNWRITTEN

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="ledger writer")

    async def close(self, patience: float = 10.0) -> None:
        """Write what is left, for as long as `patience` seconds; then say in the log what was not."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(patience):
                await self._idle.wait()
        except TimeoutError:
            for entry in self._rows.values():
                logger.critical("lost with this process, for the database cannot be written: %s", entry.row)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None

    async def add(self, row: LedgerRow, *, reserved: bool) -> None:
        """Write the row and end its reservation; returns when that is committed.

        The row is written even if the caller is cancelled. Adding it again waits for the same row.

        Raises:
            LedgerUnavailableError: it is not committed yet; it will be once the database can be written.
        """
        entry = self._rows.setdefault(row.request_id, _Row(row, reserved, self._clock.monotonic()))
        committed: Future[None] = asyncio.get_running_loop().create_future()
        entry.waiting.append((self._clock.monotonic(), committed))
        self._wake()
        await committed

    async def claim(self, claim: Claim) -> Refusal | None:
        """Hold the claim back from its spending limits; if one forbids it, say which.

        Raises:
            LedgerUnavailableError: it cannot be written; nothing is held back.
        """
        answer: Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self._claims[claim.request_id] = _Claim(claim, self._clock.monotonic(), answer)
        self._wake()
        try:
            return await answer
        except BaseException:
            self._claims.pop(claim.request_id, None)
            self.release(claim.request_id)  # nobody is left to settle what may have been granted meanwhile
            raise

    def release(self, request_id: str) -> None:
        """End a reservation soon, without a row."""
        self._released[request_id] = None
        self._wake()

    async def _run(self) -> None:
        while await self._work.wait():
            while self._has_work():
                group = self._next_group()
                began = self._clock.monotonic()
                try:
                    refused = await self._database.write(partial(repository.write, batch=group.batch()))
                except StorageError as error:
                    await self._failed(group, error)
                except Exception as error:
                    logger.exception("a group of the ledger cannot be written")
                    await self._failed(group, error)
                else:
                    if self._on_commit:
                        self._on_commit(len(group.rows), self._clock.monotonic() - began)
                    self._written(group, refused)
            self._work.clear()
            self._idle.set()

    def _wake(self) -> None:
        self._idle.clear()
        self._work.set()

    def _has_work(self) -> bool:
        return bool(self._rows or self._claims or self._released)

    def _next_group(self) -> _Group:
        size = self._group_size
        return _Group(
            rows=list(islice(self._rows.values(), size)),
            claims=list(islice(self._claims.values(), size)),
            released=list(islice(self._released, size)),
        )

    def _written(self, group: _Group, refused: dict[str, Refusal]) -> None:
        if self._failures:
            logger.warning("the ledger is written again after %d failed attempts", self._failures)
        self._failures = 0
        self._group_size = min(self._group_size * 2, MAX_GROUP)
        for request_id in group.released:
            self._released.pop(request_id, None)
        for entry in group.rows:
            del self._rows[entry.row.request_id]
            for _, committed in entry.waiting:
                if not committed.done():
                    committed.set_result(None)
        for waiting in group.claims:
            request_id = waiting.claim.request_id
            self._claims.pop(request_id, None)
            if not waiting.answer.done():
                waiting.answer.set_result(refused.get(request_id))

    async def _failed(self, group: _Group, error: Exception) -> None:
        """Keep everything, tell whom it takes too long, and wait a little longer each time."""
        if not self._failures:
            logger.error("the ledger cannot be written, its rows wait in memory: %s", error)
        self._failures += 1
        self._all_failures += 1
        # Smaller groups, and others first: what the database refuses for itself must not hold up the rest.
        self._group_size = max(1, self._group_size // 2)
        for entry in group.rows:
            self._rows[entry.row.request_id] = self._rows.pop(entry.row.request_id)
        too_long_ago = self._clock.monotonic() - self._patience
        for entry in self._rows.values():
            for since, committed in entry.waiting:
                if since <= too_long_ago and not committed.done():
                    committed.set_exception(LedgerUnavailableError())
            entry.waiting = [waiter for waiter in entry.waiting if not waiter[1].done()]
        for waiting in list(self._claims.values()):
            waiting.tried = True
            if waiting.since <= too_long_ago and not waiting.answer.done():
                waiting.answer.set_exception(LedgerUnavailableError())
        await asyncio.sleep(min(_FIRST_PAUSE * 2 ** min(self._failures, 10), _LONGEST_PAUSE))
