"""Ends a request that takes too long, in whichever stage it waits."""

import asyncio
import math
from types import TracebackType
from typing import Self

from tramontane.core.deadlines import Deadlines
from tramontane.errors import DeadlineError


class Deadline:
    """What runs inside is cancelled when its time is up, and DeadlineError raised instead.

    For a generator: while it has yielded, somebody else's code runs in its task, which must not be
    cancelled. So it says `pause` before it yields and `resume` after, and is told then. One timer a request:
    nothing is done for a token but that.

    Args:
        deadlines: of the request, from its arrival.
        elapsed: seconds since then.
    """

    def __init__(self, deadlines: Deadlines, elapsed: float) -> None:
        self._deadlines = deadlines
        self._elapsed = elapsed
        self._error: DeadlineError | None = None
        self._is_inside = True
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._began = asyncio.get_running_loop().time() - self._elapsed
        first, total = self._deadlines.first_token, self._deadlines.total
        self._arm(first, "first token") if first < total else self._arm(total, "whole answer")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._disarm()
        is_ours = self._error is not None and kind is asyncio.CancelledError
        if is_ours and self._task.uncancel() <= self._cancelling:
            assert self._error is not None
            raise self._error from error

    def first_token(self) -> None:
        """It is there: only the whole answer can be late now."""
        self._disarm()
        self._arm(self._deadlines.total, "whole answer")

    def pause(self) -> None:
        """Something is about to be yielded."""
        self._is_inside = False

    def resume(self) -> None:
        """The reader wants more.

        Raises:
            DeadlineError: the time was up meanwhile.
        """
        self._is_inside = True
        if self._error is not None:
            raise self._error

    def _arm(self, seconds: float, what: str) -> None:
        if not math.isinf(seconds):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._began + seconds, self._expire, what, seconds)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self, what: str, seconds: float) -> None:
        self._error = DeadlineError(what, seconds)
        if self._is_inside:
            self._task.cancel()
