"""A pool of servers with everything around it: what the engines of all kinds share."""

import logging
from collections.abc import AsyncGenerator, Callable
from typing import Final, TypeVar

from tramontane.core.clock import Clock
from tramontane.engines.upstream.client import UpstreamClient
from tramontane.engines.upstream.dispatch import dispatch
from tramontane.engines.upstream.facts import Facts, ask_facts
from tramontane.engines.upstream.failures import ReplicaError
from tramontane.engines.upstream.health import HealthMonitor
from tramontane.engines.upstream.options import PoolOptions
from tramontane.engines.upstream.pool import Pool
from tramontane.engines.upstream.replica import Replica
from tramontane.errors import EngineUnavailableError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
_FACTS_SECONDS: Final = 10.0


class Connection:
    """Asks the servers of a pool. Between `open` and `close`."""

    def __init__(self, options: PoolOptions, clock: Clock) -> None:
        self.options = options
        self.pool = Pool(options, clock)
        self.client = UpstreamClient(options.key, options.timeouts)
        self._monitor = HealthMonitor(self.client, self.pool, options.health_interval)
        self._is_open = False

    async def open(self) -> None:
        """Look at all servers once, and from then on again and again. None has to be there yet."""
        self.client.open()
        await self._monitor.check()
        self._monitor.start()
        self._is_open = True

    async def close(self) -> None:
        """Let go of everything; answers that are under way end with an error."""
        self._is_open = False
        await self._monitor.close()
        await self.client.close()

    def check(self) -> None:
        """Return if a request could be put to a server now.

        Raises:
            EngineUnavailableError: to none.
        """
        if not self._is_open:
            raise EngineUnavailableError
        if not any(replica.is_available for replica in self.pool.replicas):
            problems = {replica.url: replica.problem or "it has failed" for replica in self.pool.replicas}
            raise EngineUnavailableError("; ".join(f"{url}: {problem}" for url, problem in problems.items()))

    async def facts(self, model: str) -> Facts | None:
        """What the first server that answers says of `model`; None if none does."""
        for replica in self.pool.replicas:
            if replica.problem:
                continue
            try:
                facts = await ask_facts(self.client, replica.url, model, _FACTS_SECONDS)
            except ReplicaError as error:
                logger.warning("%s says nothing of its models: %s", replica.url, error)
                continue
            if facts is not None:
                return facts
        return None

    def ask(
        self, affinity: bytes | None, question: Callable[[Replica], AsyncGenerator[Item]]
    ) -> AsyncGenerator[Item]:
        """What `question` yields at one of the servers; see `dispatch`."""
        if not self._is_open:
            raise EngineUnavailableError
        return dispatch(self.pool, affinity, self.options.retries, question)
