import asyncio
from contextlib import AsyncExitStack

import pytest

from tramontane.errors import CapacityError
from tramontane.scheduling import admission
from tramontane.scheduling.admission import FIM_STREAK, Admission, Lane

pytestmark = pytest.mark.anyio


class Crowd:
    """Requests that say when they are let in, and leave when they are told to."""

    def __init__(self, admission):
        self.admission = admission
        self.inside = []
        self.tasks = {}
        self.leave = {}

    async def arrive(self, name, workspace="w", lane=Lane.CHAT, count=1):
        self.leave[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._visit(name, workspace, lane, count))
        await settle()

    async def depart(self, name):
        self.leave[name].set()
        await self.tasks[name]
        await settle()

    async def give_up(self, name):
        self.tasks[name].cancel()
        await asyncio.gather(self.tasks[name], return_exceptions=True)
        await settle()

    async def _visit(self, name, workspace, lane, count):
        async with self.admission.slot(workspace, lane, count):
            self.inside.append(name)
            try:
                await self.leave[name].wait()
            finally:
                self.inside.remove(name)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def crowd():
    crowds = []

    def make(slots=1, max_queue=100):
        crowds.append(Crowd(Admission(slots, max_queue)))
        return crowds[-1]

    yield make
    for crowd in crowds:
        for task in crowd.tasks.values():
            task.cancel()
        await asyncio.gather(*crowd.tasks.values(), return_exceptions=True)
        assert (crowd.admission.running, crowd.admission.waiting) == (0, 0)


async def order_of(crowd, first):
    """Who comes in after `first` leaves, one after the other."""
    order, current = [], first
    while crowd.inside:
        await crowd.depart(current)
        if crowd.inside:
            (current,) = crowd.inside
            order.append(current)
    return order


async def test_as_many_run_as_there_are_slots(crowd):
    c = crowd(slots=2)
    for name in "abc":
        await c.arrive(name)
    assert c.inside == ["a", "b"]
    assert (c.admission.running, c.admission.waiting) == (2, 1)
    await c.depart("a")
    assert c.inside == ["b", "c"]


async def test_a_full_queue_refuses_at_once(crowd):
    c = crowd(slots=1, max_queue=1)
    await c.arrive("a")
    await c.arrive("b")
    with pytest.raises(CapacityError) as error:
        async with c.admission.slot("w"):
            pass
    assert error.value.headers["retry-after"] == "1"
    assert c.admission.waiting == 1


async def test_without_a_queue_free_slots_are_still_given(crowd):
    c = crowd(slots=1, max_queue=0)
    await c.arrive("a")
    assert c.inside == ["a"]
    await c.depart("a")
    await c.arrive("b")
    assert c.inside == ["b"]


async def test_a_workspace_is_served_in_the_order_of_its_requests(crowd):
    c = crowd()
    for name in "abcd":
        await c.arrive(name)
    assert await order_of(c, "a") == ["b", "c", "d"]


async def test_workspaces_take_turns_however_many_requests_one_has(crowd):
    c = crowd()
    await c.arrive("first", "x")
    for name in ("x1", "x2", "x3"):
        await c.arrive(name, "x")
    for name in ("y1", "y2"):
        await c.arrive(name, "y")
    await c.arrive("z1", "z")
    assert await order_of(c, "first") == ["x1", "y1", "z1", "x2", "y2", "x3"]


async def test_an_editor_goes_first_but_chat_does_not_starve(crowd):
    c = crowd()
    await c.arrive("first")
    await c.arrive("chat1")
    await c.arrive("chat2")
    for i in range(2 * FIM_STREAK):
        await c.arrive(f"fim{i}", lane=Lane.FIM)
    order = await order_of(c, "first")
    assert order.index("chat1") == FIM_STREAK
    assert order.index("chat2") == 2 * FIM_STREAK + 1


async def test_who_gives_up_waiting_leaves_no_gap(crowd):
    c = crowd(max_queue=2)
    for name in "abc":
        await c.arrive(name)
    await c.give_up("b")
    assert c.admission.waiting == 1
    await c.arrive("d")
    assert await order_of(c, "a") == ["c", "d"]


async def test_who_gives_up_while_running_frees_the_slot(crowd):
    c = crowd()
    await c.arrive("a")
    await c.arrive("b")
    await c.give_up("a")
    assert c.inside == ["b"]
    assert c.admission.waiting == 0


async def test_who_is_cancelled_in_the_moment_of_being_let_in_gives_the_slot_on(crowd):
    c = crowd()
    await c.arrive("a")
    await c.arrive("b")
    await c.arrive("c")
    c.leave["a"].set()
    await asyncio.sleep(0)  # a leaves: b's turn is decided, but b has not run yet
    c.tasks["b"].cancel()
    await asyncio.gather(c.tasks["b"], return_exceptions=True)
    await settle()
    assert c.inside == ["c"]


async def test_who_is_cancelled_just_before_a_slot_comes_free_is_passed_over(crowd):
    c = crowd()
    await c.arrive("a")
    await c.arrive("b")
    await c.arrive("c")
    c.tasks["b"].cancel()
    c.leave["a"].set()
    await settle()
    assert c.inside == ["c"]
    assert c.admission.waiting == 0


async def test_several_slots_are_given_all_at_once_and_in_turn(crowd):
    c = crowd(slots=3)
    await c.arrive("a")
    await c.arrive("big", count=3)
    await c.arrive("small")
    assert c.inside == ["a"]  # small does not overtake big
    await c.depart("a")
    assert c.inside == ["big"]
    await c.depart("big")
    assert c.inside == ["small"]


async def test_those_behind_a_big_one_that_gives_up_go_on(crowd):
    c = crowd(slots=2)
    await c.arrive("a")
    await c.arrive("big", count=2)
    await c.arrive("small")
    await c.give_up("big")
    assert c.inside == ["a", "small"]


async def test_more_slots_than_there_are_is_all_of_them(crowd):
    c = crowd(slots=2)
    await c.arrive("huge", count=128)
    assert c.inside == ["huge"]
    assert c.admission.running == 2


async def test_an_error_inside_frees_the_slot():
    admission = Admission(1, 0)
    with pytest.raises(ZeroDivisionError):
        async with admission.slot("w"):
            1 / 0  # noqa: B018
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(admission.slot("w"))


async def test_a_lone_workspace_has_all_slots(crowd):
    c = crowd(slots=4)
    for number in range(4):
        await c.arrive(f"x{number}", "x")
    assert len(c.inside) == 4


async def test_while_several_ask_a_flood_leaves_slots_to_those_who_have_none(crowd):
    c = crowd(slots=16)
    await c.arrive("y", "y")
    await c.depart("y")
    for number in range(40):
        await c.arrive(f"x{number}", "x")
    assert len(c.inside) == 12
    await c.arrive("y1", "y")
    await c.arrive("z1", "z")
    assert c.inside[-2:] == ["y1", "z1"]
    await c.depart("x0")
    assert len(c.inside) == 13


async def test_a_flood_has_all_slots_again_a_while_after_the_others_have_gone(crowd, monkeypatch):
    monkeypatch.setattr(admission, "CROWD_SECONDS", 0.05)
    c = crowd(slots=4)
    await c.arrive("y", "y")
    await c.depart("y")
    for number in range(4):
        await c.arrive(f"x{number}", "x")
    assert len(c.inside) == 3
    await asyncio.sleep(0.1)
    await c.arrive("x5", "x")
    assert len(c.inside) == 4


async def test_in_a_full_queue_the_last_of_a_flood_gives_way(crowd):
    c = crowd(slots=1, max_queue=3)
    for number in range(4):
        await c.arrive(f"x{number}", "x")
    await c.arrive("y0", "y")
    with pytest.raises(CapacityError):
        await c.tasks["x3"]
    await c.arrive("y1", "y")
    with pytest.raises(CapacityError):
        await c.tasks["y1"]  # x and y have two places and one
    assert c.admission.waiting == 3
    assert await order_of(c, "x0") == ["x1", "y0", "x2"]


async def test_a_request_that_takes_a_slot_at_once_turns_nobody_away(crowd):
    c = crowd(slots=4, max_queue=1)
    await c.arrive("y", "y")
    await c.depart("y")
    for number in range(4):
        await c.arrive(f"x{number}", "x")
    assert (c.admission.running, c.admission.waiting) == (3, 1)
    await c.arrive("y1", "y")
    assert (c.admission.running, c.admission.waiting) == (4, 1)
