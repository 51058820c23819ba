"""Which server of a pool is asked next.

The one with the fewest requests, unless the request belongs to a conversation: that goes where it went
before, since its beginning is in that server's prefix cache, as long as the server has hardly more to do than
others (consistent hashing with bounded loads, Mirrokni, Thorup and Zadimoghaddam 2016).
"""

from collections.abc import Collection, Sequence
from math import ceil
from typing import Final

from tramontane.core.clock import Clock
from tramontane.engines.upstream.breaker import CircuitBreaker
from tramontane.engines.upstream.options import PoolOptions
from tramontane.engines.upstream.replica import Replica
from tramontane.engines.upstream.ring import HashRing
from tramontane.errors import CapacityError, EngineUnavailableError

_EXCESS: Final = 1.25
"""How much more than the mean a server may have to do and still be sent its conversations."""
_LITTLE: Final = 4
"""So many requests side by side slow no server down noticeably."""


class Pool:
    """Servers of one model."""

    def __init__(self, options: PoolOptions, clock: Clock) -> None:
        self.replicas: Sequence[Replica] = [
            Replica(url, CircuitBreaker(clock, options.breaker_failures, options.breaker_seconds), clock)
            for url in options.urls
        ]
        self._ring = HashRing(options.urls)
        self.is_closed = False
        """Nobody is to be asked any more."""

    @property
    def outstanding(self) -> int:
        """Requests that are being answered now."""
        return sum(replica.outstanding for replica in self.replicas)

    def choose(self, affinity: bytes | None, tried: Collection[Replica] = ()) -> Replica:
        """The server for a request that others have failed.

        Raises:
            CapacityError: those that are well have too much to do.
            EngineUnavailableError: there is none; says when there may be one.
        """
        available = [replica for replica in self.replicas if replica.is_available]
        if tried:
            available = [replica for replica in available if replica not in tried]
        if not available:
            raise self._unavailable()
        if affinity is not None:
            most = max(_LITTLE, ceil(_EXCESS * (self.outstanding + 1) / len(available)))
            for index in self._ring.walk(affinity):
                replica = self.replicas[index]
                if replica.outstanding < most and replica.is_available and replica not in tried:
                    return replica
        return min(available, key=lambda replica: (replica.outstanding, replica.chosen))

    def _unavailable(self) -> CapacityError | EngineUnavailableError:
        well = [replica for replica in self.replicas if not replica.problem]
        wait = max(1, ceil(min((replica.wait for replica in well), default=1)))
        if any(replica.is_busy for replica in well):
            return CapacityError(wait)
        return EngineUnavailableError(retry_after=wait)
