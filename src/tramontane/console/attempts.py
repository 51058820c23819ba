"""How often somebody may try to sign in."""

from collections import deque
from typing import Final

from tramontane.core.clock import Clock

MAX_FAILURES: Final = 10
"""In `WINDOW_SECONDS`, from anywhere: one administrator has no need of more, and addresses can be changed."""
WINDOW_SECONDS: Final = 60.0


class Attempts:
    """Counts failures to sign in, in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=MAX_FAILURES)

    @property
    def wait(self) -> float:
        """Seconds until the next attempt is heard; 0 if it is now."""
        if len(self._failures) < MAX_FAILURES:
            return 0.0
        return max(0.0, self._failures[0] + WINDOW_SECONDS - self._clock.monotonic())

    def note_failure(self) -> None:
        """An attempt was wrong."""
        self._failures.append(self._clock.monotonic())
