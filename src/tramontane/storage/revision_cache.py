"""A small memory of what was read from the database a moment ago."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from tramontane.core.clock import Clock

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")

SECONDS: Final = 5.0
"""How long a change may go unnoticed if the process that made it died before it could announce it."""


class RevisionCache(Generic[Name, Value]):
    """At most `size` values, each trusted while the database's revision is that at which it was read.

    What was put in first goes first.
    """

    def __init__(self, clock: Clock, size: int, seconds: float = SECONDS) -> None:
        self._clock = clock
        self._size = size
        self._seconds = seconds
        self._entries: OrderedDict[Name, tuple[int, float, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: Name, revision: int) -> Value | None:
        """The value, if it is there and the database has not changed since it was read."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        read_at_revision, put_at, value = entry
        is_fresh = read_at_revision == revision and self._clock.monotonic() - put_at < self._seconds
        return value if is_fresh else None

    def put(self, name: Name, value: Value, revision: int) -> None:
        """Remember `value`. `revision` is the one from before the query, so that no change goes unnoticed."""
        self._entries.pop(name, None)
        self._entries[name] = (revision, self._clock.monotonic(), value)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
