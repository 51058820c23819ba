"""How often somebody may try to sign in."""

from collections import OrderedDict, deque
from typing import Final

from tramontane.core.clock import Clock

MAX_FAILURES: Final = 10
"""In `WINDOW_SECONDS` for one name, from anywhere, since addresses can be changed."""
MAX_FAILURES_OF_ALL: Final = 100
"""For all names together: each try with a password costs the server a tenth of a second."""
WINDOW_SECONDS: Final = 60.0
_MAX_NAMES: Final = MAX_FAILURES_OF_ALL
"""More cannot have failed within the window."""


class Attempts:
    """Counts failures to sign in, in this process, by the name that was given."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of_all: deque[float] = deque(maxlen=MAX_FAILURES_OF_ALL)
        self._by_name: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, name: str = "") -> float:
        """Seconds until the next attempt with this name is heard; 0 if it is now."""
        return max(self._left(self._of_all), self._left(self._by_name.get(name, deque(maxlen=MAX_FAILURES))))

    def note_failure(self, name: str = "") -> None:
        """An attempt with this name was wrong."""
        now = self._clock.monotonic()
        self._of_all.append(now)
        self._by_name.setdefault(name, deque(maxlen=MAX_FAILURES)).append(now)
        self._by_name.move_to_end(name)
        while len(self._by_name) > _MAX_NAMES:
            self._by_name.popitem(last=False)

    def _left(self, failures: deque[float]) -> float:
        if len(failures) < (failures.maxlen or 0):
            return 0.0
        return max(0.0, failures[0] + WINDOW_SECONDS - self._clock.monotonic())
