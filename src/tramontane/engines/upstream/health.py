"""Whether the servers of a pool are well, asked again and again."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from tramontane.engines.upstream.client import UpstreamClient
from tramontane.engines.upstream.facts import root_of
from tramontane.engines.upstream.failures import ReplicaError, SilentError
from tramontane.engines.upstream.pool import Pool
from tramontane.engines.upstream.replica import Replica

logger = logging.getLogger(__name__)

_SECONDS: Final = 5.0
"""In which a server that is well says so."""


class HealthMonitor:
    """Asks each server for its health, and notes its problem if it has one.

    Servers have their own place for that: `/health/ready` (Tramontane), `/health` (vLLM, llama.cpp, Text
    Embeddings Inference), and the list of models (the hosted API). The first that a server knows is kept. A
    server without any is well when it answers at all.

    Args:
        client: asks.
        pool: the servers.
        interval: seconds between two looks.
        then: called after each.
    """

    def __init__(
        self, client: UpstreamClient, pool: Pool, interval: float, then: Callable[[], Awaitable[None]]
    ) -> None:
        self._client = client
        self._pool = pool
        self._interval = interval
        self._then = then
        self._paths: dict[Replica, str] = {}
        self._silent: set[Replica] = set()
        """Those that were silent at the last look."""
        self._task: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Ask all servers once, and go on with `then`."""
        await asyncio.gather(*map(self._check, self._pool.replicas))
        await self._then()

    def start(self) -> None:
        """Ask from now on."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            # Not at the same moment as other gateways that were started together.
            await asyncio.sleep(self._interval * random.uniform(0.8, 1.2))  # noqa: S311
            try:
                await self.check()
            except Exception:
                logger.exception("The health of upstream servers cannot be asked")

    async def _check(self, replica: Replica) -> None:
        was_silent = replica in self._silent
        self._silent.discard(replica)
        try:
            problem = await self._problem(replica)
        except SilentError as error:
            # Once is no reason: it may have much to do, and be well.
            self._silent.add(replica)
            problem = str(error) if was_silent else replica.problem
        except ReplicaError as error:
            problem = str(error)
        if problem and not replica.problem:
            logger.warning("%s is not well: %s", replica.url, problem)
        elif replica.problem and not problem:
            logger.info("%s is well again", replica.url)
        replica.problem = problem

    async def _problem(self, replica: Replica) -> str:
        known = self._paths.get(replica)
        root = root_of(replica.url)
        paths = [known] if known else [f"{root}/health/ready", f"{root}/health", f"{replica.url}/models"]
        for path in paths:
            status, _ = await self._client.get(path, _SECONDS)
            if status in {404, 405}:
                continue
            self._paths[replica] = path
            return "" if status < 500 else f"its health has status {status}"
        return ""
