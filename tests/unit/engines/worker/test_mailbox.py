import asyncio

import pytest

from tramontane.core.events import FinishReason
from tramontane.engines.worker.mailbox import Mailbox
from tramontane.errors import EngineError

pytestmark = pytest.mark.anyio


async def test_what_piles_up_is_one_delta():
    mailbox = Mailbox()
    mailbox.put([1], None, 32)
    mailbox.put([2, 3], None, None)
    mailbox.put([4], FinishReason.STOP, None)

    delta = await mailbox.take()

    assert (delta.token_ids, delta.finish_reason, delta.cached_tokens) == (
        [1, 2, 3, 4],
        FinishReason.STOP,
        32,
    )


async def test_a_reader_waits_for_what_comes():
    mailbox = Mailbox()
    reading = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    assert not reading.done()

    mailbox.put([7], None, 0)

    assert (await reading).token_ids == [7]


async def test_only_the_first_delta_tells_of_cached_tokens():
    mailbox = Mailbox()
    mailbox.put([1], None, 0)
    first = await mailbox.take()
    mailbox.put([2], None, None)

    assert (first.cached_tokens, (await mailbox.take()).cached_tokens) == (0, None)


async def test_what_came_before_an_error_is_read_before_it():
    mailbox = Mailbox()
    mailbox.put([1], None, 0)
    mailbox.fail(EngineError())

    assert (await mailbox.take()).token_ids == [1]
    with pytest.raises(EngineError):
        await mailbox.take()


async def test_an_error_wakes_the_reader():
    mailbox = Mailbox()
    reading = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    mailbox.fail(EngineError())

    with pytest.raises(EngineError):
        await reading


async def test_a_delta_that_was_handed_out_no_longer_changes():
    mailbox = Mailbox()
    mailbox.put([1], None, 0)
    delta = await mailbox.take()
    mailbox.put([2], None, None)

    assert delta.token_ids == [1]


async def test_an_end_without_tokens_is_a_delta():
    mailbox = Mailbox()
    mailbox.put([], FinishReason.STOP, 0)

    assert (await mailbox.take()).finish_reason == FinishReason.STOP


async def test_a_cancelled_reader_loses_nothing():
    mailbox = Mailbox()
    reading = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    reading.cancel()
    mailbox.put([1], None, None)
    await asyncio.wait([reading])

    assert (await mailbox.take()).token_ids == [1]
