"""Who may use the engine next: bounded, fair between workspaces, decided at once.

Three rules keep a workspace that floods from slowing others. Those who wait are served in turns between
workspaces. While several ask, none takes the last free slots: one that has some takes more only while it has
at most `SHARE` times as many as would be left, and one that has none takes any. And when the queue is full,
whoever has most in it gives up a place to whoever has less.

Runs on one event loop and awaits nothing between looking and deciding, so it needs no lock.
"""

from asyncio import AbstractEventLoop, CancelledError, Future, get_running_loop
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import Final

from tramontane.errors import CapacityError

FIM_STREAK: Final = 4
"""Grants in a row to the FIM lane; then one to chat, if it waits."""
SHARE: Final = 3
"""With 16 slots, one workspace of several has 12 of them at most; two have 14 together."""
CROWD_SECONDS: Final = 60.0
"""For which a workspace counts as asking after it has: a lone one has all slots."""


class Lane(Enum):
    """What a request waits for: an editor's completion is worth nothing a second later."""

    FIM = auto()
    CHAT = auto()


@dataclass(eq=False, slots=True)
class _Waiter:
    slots: int
    granted: Future[None]


class _Queue:
    """First come, first served within a workspace; one each in turn between workspaces."""

    def __init__(self) -> None:
        self._workspaces: OrderedDict[str, OrderedDict[_Waiter, None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._workspaces)

    def next(self, may: Callable[[str, int], bool]) -> tuple[str, _Waiter] | None:
        """The next to be served among the workspaces that may have the slots that they wait for."""
        for workspace_id, waiters in self._workspaces.items():
            waiter = next(iter(waiters))
            if may(workspace_id, waiter.slots):
                return workspace_id, waiter
        return None

    def add(self, workspace_id: str, waiter: _Waiter) -> None:
        """Stand in line."""
        self._workspaces.setdefault(workspace_id, OrderedDict())[waiter] = None

    def serve(self, workspace_id: str, waiter: _Waiter) -> None:
        """Take out who was `next`; the workspace goes to the back."""
        waiters = self._workspaces.pop(workspace_id)
        del waiters[waiter]
        if waiters:
            self._workspaces[workspace_id] = waiters

    def newest_of(self, workspace_id: str) -> _Waiter | None:
        """Who of this workspace came last."""
        return next(reversed(self._workspaces.get(workspace_id, {})), None)

    def discard(self, workspace_id: str, waiter: _Waiter) -> bool:
        """Leave the line without a gap; False if the waiter was no longer in it."""
        waiters = self._workspaces.get(workspace_id, OrderedDict())
        if waiter not in waiters:
            return False
        del waiters[waiter]
        if not waiters:
            del self._workspaces[workspace_id]
        return True


class Admission:
    """Slots of one engine and the queue in front of them.

    A request for more slots than are free holds back those behind it, so that it is not overtaken for ever.
    """

    def __init__(self, slots: int, max_queue: int) -> None:
        self.slots = slots
        self.max_queue = max_queue
        self._free = slots
        self._queues = {lane: _Queue() for lane in Lane}
        self._waiting: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._fim_streak = 0
        self._asked_last: str | None = None
        self._crowd_until = -inf
        self._is_crowd = False

    @property
    def running(self) -> int:
        """Slots in use."""
        return self.slots - self._free

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._waiting.total()

    @asynccontextmanager
    async def slot(self, workspace_id: str, lane: Lane = Lane.CHAT, count: int = 1) -> AsyncGenerator[None]:
        """Hold `count` slots, all at once, for as long as the context lasts.

        More than there are is all of them: the answers of one request then share.

        Raises:
            CapacityError: the queue is full; said at once.
        """
        count = min(count, self.slots)
        await self._acquire(workspace_id, lane, count)
        try:
            yield
        finally:
            self._release(workspace_id, count)

    async def _acquire(self, workspace_id: str, lane: Lane, count: int) -> None:
        loop = get_running_loop()
        self._note(workspace_id, loop)
        if not self._waiting and count <= self._free and self._may(workspace_id, count):
            self._hold(workspace_id, count)
            return
        waiter = _Waiter(count, loop.create_future())
        self._queues[lane].add(workspace_id, waiter)
        self._waiting[workspace_id] += 1
        self._grant()
        if not waiter.granted.done() and self.waiting > self.max_queue:
            self._turn_away(workspace_id, lane, waiter)
        try:
            await waiter.granted
        except CancelledError:
            if not waiter.granted.cancelled():
                self._release(workspace_id, count)
            elif self._queues[lane].discard(workspace_id, waiter):
                self._leave(workspace_id)
                # It may have been all that stood in the way of those behind it.
                self._grant()
            raise

    def _note(self, workspace_id: str, loop: AbstractEventLoop) -> None:
        """Whether several workspaces ask at this time."""
        if self._asked_last not in {None, workspace_id}:
            self._crowd_until = loop.time() + CROWD_SECONDS
        self._asked_last = workspace_id
        self._is_crowd = loop.time() < self._crowd_until

    def _may(self, workspace_id: str, count: int) -> bool:
        """Whether these slots are within its share; not whether they are free."""
        held = self._held.get(workspace_id, 0)
        return not held or not self._is_crowd or held + count <= SHARE * (self._free - count)

    def _hold(self, workspace_id: str, count: int) -> None:
        self._free -= count
        self._held[workspace_id] += count

    def _release(self, workspace_id: str, count: int) -> None:
        self._free += count
        self._held[workspace_id] -= count
        if not self._held[workspace_id]:
            del self._held[workspace_id]
        self._grant()

    def _leave(self, workspace_id: str) -> None:
        self._waiting[workspace_id] -= 1
        if not self._waiting[workspace_id]:
            del self._waiting[workspace_id]

    def _grant(self) -> None:
        while found := self._next():
            lane, workspace_id, waiter = found
            if waiter.slots > self._free:
                return
            self._queues[lane].serve(workspace_id, waiter)
            self._leave(workspace_id)
            if waiter.granted.cancelled():
                continue
            self._fim_streak = self._fim_streak + 1 if lane is Lane.FIM else 0
            self._hold(workspace_id, waiter.slots)
            waiter.granted.set_result(None)

    def _next(self) -> tuple[Lane, str, _Waiter] | None:
        fim_has_had_enough = self._fim_streak >= FIM_STREAK and self._queues[Lane.CHAT]
        for lane in (Lane.CHAT, Lane.FIM) if fim_has_had_enough else (Lane.FIM, Lane.CHAT):
            if found := self._queues[lane].next(self._may):
                return lane, *found
        return None

    def _turn_away(self, workspace_id: str, lane: Lane, waiter: _Waiter) -> None:
        """One too many waits: the last of the workspace that has most, or else the one that has just come."""
        heaviest, most = self._waiting.most_common(1)[0]
        if most > self._waiting[workspace_id]:
            workspace_id = heaviest
            lane, waiter = next(
                (other, newest)
                for other in (Lane.CHAT, Lane.FIM)
                if (newest := self._queues[other].newest_of(heaviest))
            )
        self._queues[lane].discard(workspace_id, waiter)
        self._leave(workspace_id)
        if not waiter.granted.done():
            waiter.granted.set_exception(CapacityError())
