"""Clients that leave before they are answered."""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Self, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

Result = TypeVar("Result")


class CancelOnDisconnect:
    """Cancels what runs inside as soon as the client is gone; `left` says afterwards whether it is.

    Works as `asyncio.timeout` does: the cancellation is its own and ends at its border, any other passes
    through. One task a request watches the connection; nothing is done for each token. The body must have
    been read, and the last piece of the answer be sent outside: to a server, an answered client is gone.
    """

    def __init__(self, receive: Receive) -> None:
        self.left = False
        self._receive = receive

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._watcher.cancel()
        if not self.left:
            return False
        return self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        self._task.cancel()


async def unless_disconnected(receive: Receive, work: Awaitable[Result]) -> Result:
    """The result of `work`.

    Raises:
        ClientDisconnect: nobody waits for it any more; `work` was cancelled.
    """
    async with CancelOnDisconnect(receive):
        return await work
    raise ClientDisconnect
