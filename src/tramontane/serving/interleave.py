"""Several streams as one."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")


async def interleave(streams: Sequence[AsyncGenerator[Item]]) -> AsyncGenerator[Item]:
    """The items of all streams as they come. The first error ends all; closing this closes all.

    Streams run ahead of the reader by what they have to say at most, so what they say must be bounded.
    """
    if len(streams) == 1:
        async with aclosing(streams[0]) as items:
            async for item in items:
                yield item
        return
    queue: asyncio.Queue[Item | asyncio.Task[None]] = asyncio.Queue()
    tasks = [asyncio.create_task(pump(stream, queue)) for stream in streams]
    for task in tasks:
        task.add_done_callback(queue.put_nowait)
    try:
        unfinished = len(tasks)
        while unfinished:
            said = await queue.get()
            if isinstance(said, asyncio.Task):
                said.result()
                unfinished -= 1
            else:
                yield said
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def pump(stream: AsyncGenerator[Item], queue: asyncio.Queue[Item | asyncio.Task[None]]) -> None:
    """Put every item of `stream` into `queue`, and close it on every way out."""
    async with aclosing(stream) as items:
        async for item in items:
            queue.put_nowait(item)
