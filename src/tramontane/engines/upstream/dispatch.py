"""A request to a pool: to one server, and to another as long as nothing of an answer has come."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

from tramontane.engines.upstream.failures import BusyError, MisconfiguredError, ReplicaError
from tramontane.engines.upstream.pool import Pool
from tramontane.engines.upstream.replica import Replica
from tramontane.errors import CapacityError, EngineUnavailableError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


async def dispatch(
    pool: Pool,
    affinity: bytes | None,
    retries: int,
    ask: Callable[[Replica], AsyncGenerator[Item]],
) -> AsyncGenerator[Item]:
    """The items of `ask` at the server that the pool chooses, or the next one.

    Raises:
        ApiError: of `ask`: the request itself is refused.
        CapacityError: all servers have too much to do.
        EngineUnavailableError: none answers.
        EngineError: one failed on the way.
    """
    tried: list[Replica] = []
    failure: ReplicaError | None = None
    while True:
        try:
            replica = pool.choose(affinity, tried)
        except (CapacityError, EngineUnavailableError):
            if failure is None:
                raise
            raise failure.api_error(has_begun=False) from failure
        tried.append(replica)
        has_begun = False
        try:
            with replica.working():
                async with aclosing(ask(replica)) as items:
                    async for item in items:
                        has_begun = True
                        yield item
        except ReplicaError as error:
            if pool.is_closed:
                raise EngineUnavailableError from error
            failure = error
            _log(replica, error)
            if has_begun or len(tried) > retries:
                raise error.api_error(has_begun=has_begun) from error
        else:
            return


def _log(replica: Replica, error: ReplicaError) -> None:
    if isinstance(error, MisconfiguredError):
        logger.error("%s refuses us, which its key or model name may explain: %s", replica.url, error)
    elif isinstance(error, BusyError):
        logger.info("%s has too much to do: %s", replica.url, error)
    else:
        logger.warning("%s failed: %s", replica.url, error)
