import asyncio
from contextlib import aclosing

import pytest

from tramontane.core.deadlines import Deadlines
from tramontane.errors import DeadlineError
from tramontane.serving.deadline import Deadline

pytestmark = pytest.mark.anyio

SOON = 0.02


async def test_who_waits_too_long_for_the_first_token_is_told():
    with pytest.raises(DeadlineError, match="first token did not come"):
        async with Deadline(Deadlines(SOON), 0):
            await asyncio.sleep(60)


async def test_time_before_counts():
    with pytest.raises(DeadlineError):
        async with Deadline(Deadlines(60 + SOON), 60):
            await asyncio.sleep(60)


async def test_after_the_first_token_only_the_whole_counts():
    async def answer():
        async with Deadline(Deadlines(SOON, 3 * SOON), 0) as deadline:
            deadline.first_token()
            await asyncio.sleep(2 * SOON)
            await asyncio.sleep(60)

    with pytest.raises(DeadlineError, match="whole answer"):
        await answer()


async def test_nothing_is_late_without_deadlines():
    async with Deadline(Deadlines(), 0):
        await asyncio.sleep(SOON)


async def test_a_cancellation_from_elsewhere_is_no_deadline():
    async def wait():
        async with Deadline(Deadlines(60), 0):
            await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_reader_of_a_generator_is_never_cancelled_but_the_generator_is_told():
    async def items():
        async with Deadline(Deadlines(total=SOON), 0) as deadline:
            deadline.pause()
            yield 1
            deadline.resume()

    async with aclosing(items()) as reader:
        assert await anext(reader) == 1
        await asyncio.sleep(2 * SOON)  # the reader's own business
        with pytest.raises(DeadlineError):
            await anext(reader)
