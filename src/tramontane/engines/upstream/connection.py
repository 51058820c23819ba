"""A pool of servers with everything around it: what the engines of all kinds share."""

import logging
from collections.abc import AsyncGenerator, Callable
from typing import Final, TypeVar

from tramontane.core.clock import Clock
from tramontane.engines.protocol import EngineInfo
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
NAME: Final = "upstream"
UNKNOWN_CONTEXT_LENGTH: Final = 131_072
"""Of a model of which nobody says it: what most have."""
_FACTS_SECONDS: Final = 10.0


class Connection:
    """Asks the servers of a pool for a model. Between `open` and `close`."""

    def __init__(self, options: PoolOptions, model: str, clock: Clock) -> None:
        self.options = options
        self.pool = Pool(options, clock)
        self.client = UpstreamClient(options.key, options.timeouts)
        self.facts: Facts | None = None
        """What a server has said of the model; None if none has yet."""
        self._model = model
        self._monitor = HealthMonitor(self.client, self.pool, options.health_interval, self._ask_facts)
        self._is_open = False

    @property
    def model(self) -> str:
        """Its name there."""
        return (self.facts and self.facts.model) or self._model

    async def open(self) -> None:
        """Look at all servers once, and from then on again and again. None has to be there yet."""
        if self._is_open:
            return
        self.client.open()
        await self._monitor.check()
        self._monitor.start()
        self._is_open = True

    async def close(self) -> None:
        """Let go of everything; answers that are under way end with an error."""
        self._is_open = False
        self.pool.is_closed = True
        await self._monitor.close()
        await self.client.close()

    def info(self, slots: int) -> EngineInfo:
        """What is known of a model whose tokens are not ours to know.

        Raises:
            EngineUnavailableError: not opened, or closed.
        """
        if not self._is_open:
            raise EngineUnavailableError
        length = self.facts.max_context_length if self.facts else None
        return EngineInfo(NAME, 0, length or UNKNOWN_CONTEXT_LENGTH, slots)

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

    def ask(
        self, affinity: bytes | None, question: Callable[[Replica], AsyncGenerator[Item]]
    ) -> AsyncGenerator[Item]:
        """What `question` yields at one of the servers; see `dispatch`."""
        if not self._is_open:
            raise EngineUnavailableError
        return dispatch(self.pool, affinity, self.options.retries, question)

    async def _ask_facts(self) -> None:
        """Of the first server that answers, once."""
        for replica in self.pool.replicas:
            if replica.problem or self.facts is not None:
                continue
            try:
                self.facts = await ask_facts(self.client, replica.url, self._model, _FACTS_SECONDS)
            except ReplicaError as error:
                logger.warning("%s says nothing of its models: %s", replica.url, error)
