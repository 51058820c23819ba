"""The limits of one process. Awaits nothing between looking and counting, so it needs no lock."""

from collections import OrderedDict
from typing import Final

from tramontane.core.clock import Clock
from tramontane.limits.figures import MINUTE, Limits
from tramontane.limits.store import LimitKey, Used, Verdict
from tramontane.limits.window import Window

_SWEEP: Final = 2
"""Windows looked at in each call: more than one new one a call, so that idle ones cannot pile up."""


class MemoryLimitStore:
    """A window for each workspace and model that did anything in the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: OrderedDict[LimitKey, Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    async def admit(
        self, key: LimitKey, limits: Limits, month: str, month_tokens: int | None = None
    ) -> Verdict | None:
        """Count one request if `limits` let it through; see `LimitStore`."""
        now = self._now()
        window = self._window(key, now)
        if limits.tokens_per_month is not None and not window.knows_month(month):
            if month_tokens is None:
                return None
            window.set_month(month, month_tokens)
        return window.admit(limits, now)

    async def charge(self, key: LimitKey, _limits: Limits, month: str, tokens: int) -> Used:
        """Count the tokens that a request really used."""
        now = self._now()
        return self._window(key, now).charge(month, tokens, now)

    async def used(self, key: LimitKey, month: str) -> Used:
        """What has been counted."""
        window = self._windows.get(key)
        return Used(0, 0, 0) if window is None else window.used(month, self._now())

    async def close(self) -> None:
        """Nothing is open."""

    def _now(self) -> int:
        return round(self._clock.monotonic() * 1_000_000)

    def _window(self, key: LimitKey, now: int) -> Window:
        """The window of `key`; those that are idle for a minute go."""
        windows = self._windows
        window = windows.get(key)
        if window is None:
            window = windows[key] = Window()
        else:
            windows.move_to_end(key)
        window.used_at = now
        for _ in range(_SWEEP):
            oldest = next(iter(windows))
            if windows[oldest].used_at > now - MINUTE:
                break
            del windows[oldest]
        return window
