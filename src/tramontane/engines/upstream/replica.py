"""One server of a pool, as it looks from here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tramontane.core.clock import Clock
from tramontane.engines.upstream.breaker import CircuitBreaker
from tramontane.engines.upstream.failures import BusyError, ReplicaError
from tramontane.errors import ApiError


@dataclass(eq=False, slots=True)
class Replica:
    """A server, what it works on for us, and whether it can be asked."""

    url: str
    """Its base URL."""
    breaker: CircuitBreaker
    clock: Clock
    outstanding: int = 0
    """Requests that it answers now."""
    chosen: int = 0
    """How often it was; the one that was so less often goes first where all else is equal."""
    problem: str = ""
    """Why it cannot be asked, as the last look at its health says; empty if it can."""
    _busy_until: float = field(default=0.0)

    @property
    def wait(self) -> float:
        """Seconds until it may be asked again; 0 if now. Its health is another matter."""
        return max(self.breaker.wait, self._busy_until - self.clock.monotonic(), 0.0)

    @property
    def is_busy(self) -> bool:
        """It works, but has said that it has too much to do."""
        return self.breaker.is_closed and self._busy_until > self.clock.monotonic()

    @property
    def is_available(self) -> bool:
        """It may be asked now. Looked at for every server of a pool with every request."""
        if self.problem:
            return False
        if self.breaker.is_closed and not self._busy_until:
            return True  # without a look at the clock, since most are so
        return self.wait <= 0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold a place in its count; what goes wrong inside is held against it."""
        self.outstanding += 1
        self.chosen += 1
        self.breaker.begin()
        try:
            yield
            self.breaker.succeed()
        except BusyError as error:
            self._busy_until = self.clock.monotonic() + error.retry_after
            self.breaker.give_up()
            raise
        except ReplicaError:
            self.breaker.fail()
            raise
        except ApiError:  # the request is at fault; the server works
            self.breaker.succeed()
            raise
        except BaseException:
            self.breaker.give_up()
            raise
        finally:
            self.outstanding -= 1
