"""A circuit breaker: who fails again and again is left alone for a while.

Closed, it lets everything through. After some failures in a row it opens. When its time is over, one request
may try, and decides whether it closes or opens once more.
"""

from tramontane.core.clock import Clock


class CircuitBreaker:
    """The breaker of one server.

    Args:
        clock: tells the time.
        failures: in a row, after which it opens.
        seconds: that it stays open.
    """

    def __init__(self, clock: Clock, failures: int, seconds: float) -> None:
        self._clock = clock
        self._limit = failures
        self._seconds = seconds
        self._failures = 0
        self._open_until: float | None = None
        self._is_tried = False

    @property
    def is_closed(self) -> bool:
        """Everything goes through."""
        return self._open_until is None

    @property
    def wait(self) -> float:
        """Seconds until a request may go through; 0 if one may now."""
        if self._open_until is None:
            return 0.0
        if self._is_tried:
            return self._seconds
        return max(0.0, self._open_until - self._clock.monotonic())

    def begin(self) -> None:
        """A request goes through; if the breaker is open, it is the one that tries."""
        self._is_tried = self._open_until is not None

    def succeed(self) -> None:
        """It worked."""
        self._failures = 0
        self._open_until = None
        self._is_tried = False

    def fail(self) -> None:
        """It did not."""
        self._failures += 1
        if self._is_tried or self._failures >= self._limit:
            self._open_until = self._clock.monotonic() + self._seconds
        self._is_tried = False

    def give_up(self) -> None:
        """Nobody waited for the outcome: another request may try."""
        self._is_tried = False
