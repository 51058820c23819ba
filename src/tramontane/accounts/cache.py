"""A small memory of what was looked up a moment ago."""

from collections import OrderedDict
from typing import Generic, TypeVar

from tramontane.core.clock import Clock

Value = TypeVar("Value")


class ExpiringCache(Generic[Value]):
    """At most `size` values by text, each for `ttl` seconds; what was put in first goes first."""

    def __init__(self, clock: Clock, size: int, ttl: float) -> None:
        self._clock = clock
        self._size = size
        self._ttl = ttl
        self._entries: OrderedDict[str, tuple[float, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str) -> Value | None:
        """The value, if it is there and young enough."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        put_at, value = entry
        return value if self._clock.monotonic() - put_at < self._ttl else None

    def put(self, name: str, value: Value) -> None:
        """Remember `value` from now on."""
        self._entries.pop(name, None)
        self._entries[name] = (self._clock.monotonic(), value)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
