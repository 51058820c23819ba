"""Models that share too little memory."""

import asyncio

import pytest

from tests.support.model_life import World, settled, use
from tramontane.catalog.machine import MachineMemory
from tramontane.errors import ConfigurationError, EngineUnavailableError
from tramontane.models.state import Phase

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(anyio_backend):
    return World(limit=100)


def loaded(*models):
    return [model.loaded is not None for model in models]


async def test_the_one_longest_not_used_makes_room(world):
    first, second, third = world.model(40), world.model(40), world.model(40)
    await use(first)
    world.clock.advance(1)
    await use(second)
    world.clock.advance(1)
    await use(first)
    await use(third)
    assert loaded(first, second, third) == [True, False, True]
    assert world.memory.held == 80


async def test_as_many_are_unloaded_as_it_takes_and_no_more(world):
    small = [world.model(25) for _ in range(4)]
    for model in small:
        await use(model)
        world.clock.advance(1)
    await use(world.model(50))
    assert loaded(*small) == [False, False, True, True]


async def test_one_in_use_is_never_unloaded(world):
    busy, idle, wanted = world.model(40), world.model(40), world.model(40)
    async with busy.lease():
        world.clock.advance(1)
        await use(idle)
        await use(wanted)
        assert loaded(busy, idle, wanted) == [True, False, True]


async def test_it_waits_for_those_in_use_and_unloads_nothing_in_vain(world):
    world.memory._patience = 60
    busy, idle, wanted = world.model(60), world.model(20), world.model(90)
    await use(idle)
    async with busy.lease():
        request = asyncio.create_task(use(wanted))
        await settled()
        assert loaded(busy, idle) == [True, True]
        assert (await wanted.state()).phase is Phase.LOADING
    await request
    assert loaded(busy, idle, wanted) == [False, False, True]


async def test_whoever_waits_too_long_is_told_to_come_again(world):
    busy, wanted = world.model(60), world.model(60)
    async with busy.lease():
        with pytest.raises(EngineUnavailableError, match="no memory for model-2 at the moment") as caught:
            await use(wanted)
        assert caught.value.headers["retry-after"] == "5"
        assert loaded(busy) == [True]
    await use(wanted)
    assert loaded(busy, wanted) == [False, True]


async def test_what_can_never_fit_is_refused_at_once_and_nothing_is_unloaded_for_it(world):
    idle, giant = world.model(60), world.model(101)
    await use(idle)
    world.memory._patience = 1000
    with pytest.raises(EngineUnavailableError, match="can never be loaded here"):
        await use(giant)
    assert loaded(idle) == [True]


async def test_two_loadings_do_not_count_on_the_same_memory(world):
    world.memory._patience = 60
    first, second = world.model(60), world.model(60)
    world.engine(first).gate.clear()
    one, two = asyncio.create_task(use(first)), asyncio.create_task(use(second))
    await settled()
    assert world.engine(second).starts == 0
    assert world.memory.held == 60
    world.engine(first).gate.set()
    await asyncio.gather(one, two)
    assert loaded(first, second) == [False, True]


async def test_a_loading_that_fails_gives_its_memory_back(world):
    world.memory._patience = 60
    first, second = world.model(60), world.model(60)
    world.engine(first).gate.clear()
    world.engine(first).failure = RuntimeError("boom")
    one, two = asyncio.create_task(use(first)), asyncio.create_task(use(second))
    await settled()
    world.engine(first).gate.set()
    await asyncio.gather(one, two, return_exceptions=True)
    assert loaded(first, second) == [False, True]
    assert world.memory.held == 60


async def test_a_victim_that_is_asked_for_meanwhile_is_spared(world):
    world.memory._patience = 60
    first, second, wanted = world.model(50), world.model(50), world.model(100)
    await use(first)
    world.clock.advance(1)
    await use(second)
    world.engine(first).exit.clear()
    request = asyncio.create_task(use(wanted))
    await settled()
    async with second.lease():  # taken while the first victim is on its way out
        world.engine(first).exit.set()
        await settled()
        assert loaded(first, second, wanted) == [False, True, False]
    await request
    assert loaded(second, wanted) == [False, True]


async def test_the_models_of_the_start_must_fit_into_the_limit_together(world):
    first, second = world.model(60, load="start"), world.model(60, load="start")
    await first.start()
    with pytest.raises(ConfigurationError, match=r'memory_limit is .*load = "use"'):
        await second.start()
    assert loaded(first) == [True]


class TestWithoutALimit:
    async def test_the_machine_decides_at_the_time(self, anyio_backend):
        available = [100]
        world = World(limit=None, machine=lambda: MachineMemory(200, available[0]))
        first, second = world.model(50), world.model(50)
        await use(first)  # nothing of it is resident yet: 90 of 100, less 50, are left
        await use(second)
        assert loaded(first, second) == [False, True]

    async def test_the_only_model_is_tried_though_the_machine_looks_full(self, anyio_backend):
        world = World(limit=None, machine=lambda: MachineMemory(200, 10))
        only = world.model(50)
        await use(only)
        assert loaded(only) == [True]

    async def test_what_the_machine_does_not_have_at_all_is_refused(self, anyio_backend):
        world = World(limit=None, machine=lambda: MachineMemory(200, 200))
        with pytest.raises(EngineUnavailableError, match="this machine has"):
            await use(world.model(201))

    async def test_a_start_that_looks_too_large_is_tried_with_a_warning(self, anyio_backend, caplog):
        world = World(limit=None, machine=lambda: MachineMemory(200, 50))
        model = world.model(100, load="start")
        await model.start()
        assert loaded(model) == [True]
        assert "may take" in caplog.text
