import asyncio
from contextlib import aclosing

import pytest

from tramontane.serving.interleave import interleave

pytestmark = pytest.mark.anyio


async def counting(name, stop, closed=None):
    try:
        for number in range(stop):
            await asyncio.sleep(0)
            yield name, number
    finally:
        if closed is not None:
            closed.append(name)


@pytest.mark.parametrize("names", ["a", "abc"])
async def test_every_item_comes_in_the_order_of_its_stream(names):
    items = [item async for item in interleave([counting(name, 5) for name in names])]
    for name in names:
        assert [number for who, number in items if who == name] == [0, 1, 2, 3, 4]
    assert len(items) == 5 * len(names)


@pytest.mark.parametrize("names", ["a", "abc"])
async def test_closing_closes_all_streams_before_it_returns(names):
    closed = []
    async with aclosing(interleave([counting(name, 99, closed) for name in names])) as items:
        for _ in range(len(names)):
            await anext(items)
    assert sorted(closed) == sorted(names)


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("y")])
async def test_any_error_ends_all_streams_and_is_raised(error):
    async def failing():
        yield "f", 0
        raise error

    closed = []
    with pytest.raises(type(error)):
        async for _ in interleave([counting("a", 99, closed), failing()]):
            pass
    assert closed == ["a"]


async def test_streams_that_were_never_read_are_no_trouble():
    await interleave([counting("a", 5), counting("b", 5)]).aclose()
