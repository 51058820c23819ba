"""Who may use the engine next: bounded, fair, decided in constant time.

Runs on one event loop and awaits nothing between looking and deciding, so it needs no lock.
"""

from asyncio import CancelledError, Future, get_running_loop
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from tramontane.errors import CapacityError

FIM_STREAK: Final = 4
"""Grants in a row to the FIM lane; then one to chat, if it waits."""


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

    def first(self) -> _Waiter:
        """The next to be served."""
        return next(iter(next(iter(self._workspaces.values()))))

    def add(self, workspace_id: str, waiter: _Waiter) -> None:
        """Stand in line."""
        self._workspaces.setdefault(workspace_id, OrderedDict())[waiter] = None

    def pop(self) -> _Waiter:
        """Take the next to be served; its workspace goes to the back."""
        workspace_id, waiters = self._workspaces.popitem(last=False)
        waiter, _ = waiters.popitem(last=False)
        if waiters:
            self._workspaces[workspace_id] = waiters
        return waiter

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
        self._waiting = 0
        self._fim_streak = 0

    @property
    def running(self) -> int:
        """Slots in use."""
        return self.slots - self._free

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._waiting

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
            self._release(count)

    async def _acquire(self, workspace_id: str, lane: Lane, count: int) -> None:
        if not self._waiting and count <= self._free:
            self._free -= count
            return
        if self._waiting >= self.max_queue:
            raise CapacityError
        waiter = _Waiter(count, get_running_loop().create_future())
        self._queues[lane].add(workspace_id, waiter)
        self._waiting += 1
        try:
            await waiter.granted
        except CancelledError:
            if not waiter.granted.cancelled():
                self._release(count)
            elif self._queues[lane].discard(workspace_id, waiter):
                self._waiting -= 1
                # It may have been all that stood in the way of those behind it.
                self._grant()
            raise

    def _release(self, count: int) -> None:
        self._free += count
        self._grant()

    def _grant(self) -> None:
        while self._waiting:
            lane = self._next_lane()
            if self._queues[lane].first().slots > self._free:
                return
            waiter = self._queues[lane].pop()
            self._waiting -= 1
            if waiter.granted.cancelled():
                continue
            self._fim_streak = self._fim_streak + 1 if lane is Lane.FIM else 0
            self._free -= waiter.slots
            waiter.granted.set_result(None)

    def _next_lane(self) -> Lane:
        if not self._queues[Lane.FIM]:
            return Lane.CHAT
        if self._queues[Lane.CHAT] and self._fim_streak >= FIM_STREAK:
            return Lane.CHAT
        return Lane.FIM
