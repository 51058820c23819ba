"""Of requests with one key only the newest runs.

An editor asks anew at every keystroke. What it asked before is of no use to it, and would keep the new answer
waiting.
"""

import asyncio
from collections.abc import AsyncGenerator, Hashable
from typing import Generic, TypeVar

from tramontane.errors import SupersededError
from tramontane.serving.interleave import pump

Item = TypeVar("Item")


class Superseding(Generic[Item]):
    """Keeps the newest run of each key."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[None]] = {}

    async def run(self, key: Hashable, items: AsyncGenerator[Item]) -> AsyncGenerator[Item]:
        """`items` as they come, unless a later run of `key` starts: then `items` is closed at once.

        Raises:
            SupersededError: it did.
        """
        queue: asyncio.Queue[Item | asyncio.Task[None]] = asyncio.Queue()
        task = asyncio.create_task(pump(items, queue))
        task.add_done_callback(queue.put_nowait)
        older, self._running[key] = self._running.get(key), task
        if older is not None:
            older.cancel()
        try:
            while not isinstance(said := await queue.get(), asyncio.Task):
                yield said
            if said.cancelled():
                raise SupersededError
            said.result()
        finally:
            if self._running.get(key) is task:
                del self._running[key]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
