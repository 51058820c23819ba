"""Time as a dependency, so that tests can hold it still."""

import time
from typing import Protocol


class Clock(Protocol):
    """The wall clock for what is shown and stored, the monotonic one for what is measured."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()
