"""What happens to limits when Redis is down: requests go on, and this process limits its own."""

import asyncio
import logging
from typing import Final, Protocol

from tramontane.errors import StorageError
from tramontane.limits.figures import Limits
from tramontane.limits.store import LimitKey, LimitStore, Used, Verdict

logger = logging.getLogger(__name__)

_CHECK_SECONDS: Final = 1.0
"""Between two looks at a server that is down."""


class SharedLimitStore(LimitStore, Protocol):
    """A store that can be out of reach."""

    async def check(self) -> None:
        """Raises StorageError while it is of no use."""
        ...


class FailoverLimitStore:
    """The shared store, and the local one while that is down.

    The first failure opens the circuit: from then on nobody asks the shared store but one task, which looks
    every second whether it is back. The limits stay the same; neither store knows what the other has counted.
    """

    def __init__(
        self, shared: SharedLimitStore, local: LimitStore, check_seconds: float = _CHECK_SECONDS
    ) -> None:
        self._shared = shared
        self._local = local
        self._check_seconds = check_seconds
        self._recovery: asyncio.Task[None] | None = None
        self.outages = 0
        """How often the shared store has gone away."""
        self.locally_limited = 0
        """Requests that were limited by the local store."""

    @property
    def is_down(self) -> bool:
        """Whether the shared store is given up for now."""
        return self._recovery is not None

    async def admit(
        self, key: LimitKey, limits: Limits, month: str, month_tokens: int | None = None
    ) -> Verdict | None:
        """Count one request if `limits` let it through; see `LimitStore`."""
        if not self.is_down:
            try:
                return await self._shared.admit(key, limits, month, month_tokens)
            except StorageError as error:
                self._give_up(error)
        verdict = await self._local.admit(key, limits, month, month_tokens)
        self.locally_limited += verdict is not None
        return verdict

    async def charge(self, key: LimitKey, limits: Limits, month: str, tokens: int) -> Used:
        """Count the tokens that a request really used, where the next one will look."""
        if not self.is_down:
            try:
                return await self._shared.charge(key, limits, month, tokens)
            except StorageError as error:
                self._give_up(error)
        return await self._local.charge(key, limits, month, tokens)

    async def used(self, key: LimitKey, month: str) -> Used:
        """What has been counted where the next request will look."""
        if not self.is_down:
            try:
                return await self._shared.used(key, month)
            except StorageError as error:
                self._give_up(error)
        return await self._local.used(key, month)

    async def close(self) -> None:
        """Stop looking, and let go of connections."""
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        await self._shared.close()
        await self._local.close()

    def _give_up(self, error: StorageError) -> None:
        if self.is_down:
            return  # of several requests that were under way, one says it
        self.outages += 1
        logger.warning("%s. Each process limits its own requests until it is back.", error)
        self._recovery = asyncio.create_task(self._recover(self.locally_limited))

    async def _recover(self, limited_before: int) -> None:
        while True:
            await asyncio.sleep(self._check_seconds)
            try:
                await self._shared.check()
            except StorageError:
                continue
            break
        self._recovery = None
        logger.warning(
            "Redis is back: limits are shared again. %d requests were limited by this process alone.",
            self.locally_limited - limited_before,
        )
