"""Between the worker's messages and the reader of one answer, without a task or a queue of its own."""

import asyncio
from collections.abc import Sequence

from tramontane.core.events import FinishReason
from tramontane.engines.protocol import EngineDelta


class Mailbox:
    """What has arrived for one request and is not yet read; what piles up becomes one delta."""

    __slots__ = ("_cached_tokens", "_error", "_finish_reason", "_logprobs", "_token_ids", "_waiter")

    def __init__(self) -> None:
        self._token_ids: list[int] = []
        self._logprobs: list[float] = []
        self._finish_reason: FinishReason | None = None
        self._cached_tokens: int | None = None
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def put(
        self,
        token_ids: Sequence[int],
        finish_reason: FinishReason | None,
        cached_tokens: int | None,
        logprobs: Sequence[float] = (),
    ) -> None:
        """More of the answer."""
        self._token_ids += token_ids
        self._logprobs += logprobs
        self._finish_reason = finish_reason
        if cached_tokens is not None:
            self._cached_tokens = cached_tokens
        self._wake()

    def fail(self, error: Exception) -> None:
        """The answer ends here; what arrived before is read first."""
        self._error = error
        self._wake()

    async def take(self) -> EngineDelta:
        """Everything that has arrived, waiting for something to. One reader at a time.

        Raises:
            Exception: what was given to `fail`.
        """
        if not self._token_ids and self._finish_reason is None:
            await self._arrival()
        delta = EngineDelta(self._token_ids, self._finish_reason, self._cached_tokens, self._logprobs)
        self._token_ids = []
        self._logprobs = []
        self._cached_tokens = None
        return delta

    async def _arrival(self) -> None:
        if self._error is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._error is not None and not self._token_ids and self._finish_reason is None:
            raise self._error

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
