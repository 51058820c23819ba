"""The life of a served model: loaded for whoever asks, and never unloaded under them."""

import asyncio

import pytest

from tests.support.model_life import World, settled, use
from tramontane.errors import CapacityError, ConflictError, EngineUnavailableError, ModelStoreError
from tramontane.models.state import Phase

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(anyio_backend):
    return World()


async def phase(model):
    return (await model.state()).phase


async def test_the_first_use_loads_it_and_it_stays(world):
    model = world.model()
    assert await phase(model) is Phase.UNLOADED

    async with model.lease() as loaded:
        assert loaded.engine is world.engine(model)
        assert (await model.state()).users == 1
    await use(model)

    assert await phase(model) is Phase.LOADED
    assert world.engine(model).starts == 1


async def test_a_hundred_first_requests_share_one_loading(world):
    model = world.model()
    model.admission.max_queue = 1000
    engine = world.engine(model)
    engine.gate.clear()

    requests = [asyncio.create_task(use(model)) for _ in range(100)]
    await settled()
    state = await model.state()
    assert (state.phase, state.users) == (Phase.LOADING, 100)
    engine.gate.set()
    await asyncio.gather(*requests)

    assert engine.starts == 1
    assert (await model.state()).users == 0


async def test_no_more_wait_for_a_loading_than_have_room_in_the_queue(world):
    model = world.model()
    world.engine(model).gate.clear()
    room = model.admission.slots + model.admission.max_queue
    requests = [asyncio.create_task(use(model)) for _ in range(room)]
    await settled()

    with pytest.raises(CapacityError):
        await use(model)
    world.engine(model).gate.set()
    await asyncio.gather(*requests)


async def test_a_loading_that_fails_is_told_to_all_that_wait_and_tried_again_by_the_next(world):
    model = world.model()
    engine = world.engine(model)
    engine.gate.clear()
    engine.failure = ModelStoreError("The model in /secret/place is damaged")
    requests = [asyncio.create_task(use(model)) for _ in range(3)]
    await settled()
    engine.gate.set()

    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    for outcome in outcomes:
        assert isinstance(outcome, EngineUnavailableError)
        assert "/secret" not in outcome.message
        assert outcome.headers["retry-after"]
    state = await model.state()
    assert (state.phase, state.answers) == (Phase.FAILED, False)
    assert "/secret/place is damaged" in state.problem
    assert (engine.starts, engine.closes, world.memory.held) == (1, 1, 0)

    engine.failure = None
    await use(model)
    assert (await model.state()).problem is None


async def test_an_unexpected_failure_is_a_failed_loading_too(world):
    model = world.model()
    world.engine(model).failure = RuntimeError("boom")
    with pytest.raises(EngineUnavailableError):
        await use(model)
    assert await phase(model) is Phase.FAILED


async def test_a_loading_goes_on_when_whoever_asked_for_it_leaves(world):
    model = world.model(keep_alive=0)
    world.engine(model).gate.clear()
    request = asyncio.create_task(use(model))
    await settled()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    assert await phase(model) is Phase.LOADING

    world.engine(model).gate.set()
    await settled()
    assert await phase(model) is Phase.LOADED
    await world.pass_time(0)  # nobody uses it: `keep_alive` is over at once
    assert await phase(model) is Phase.UNLOADED


async def test_it_is_unloaded_when_it_was_not_used_for_so_long(world):
    model = world.model(keep_alive="10m")
    await use(model)
    state = await model.state()
    assert state.unloads_at == state.idle_since + 600

    await world.pass_time(599)
    async with model.lease():
        await world.pass_time(1000)
        assert (await model.state()).idle_since is None
    await world.pass_time(599)
    assert await phase(model) is Phase.LOADED
    await world.pass_time(1)
    assert await phase(model) is Phase.UNLOADED
    assert not world.engine(model).is_up

    await use(model)
    assert await phase(model) is Phase.LOADED


async def test_what_was_loaded_by_command_waits_for_a_first_use_before_it_rests(world):
    model = world.model(keep_alive=0)
    await model.load()
    await world.pass_time(100)
    assert await phase(model) is Phase.LOADED
    await use(model)
    await world.pass_time(0)
    assert await phase(model) is Phase.UNLOADED


async def test_what_was_loaded_by_command_and_never_used_rests_too(world):
    model = world.model(keep_alive="1m")
    await model.load()
    await world.pass_time(59)
    await model.load()  # it is loaded: nothing happens
    await world.pass_time(1)
    assert await phase(model) is Phase.UNLOADED


async def test_without_an_end_to_keep_alive_nothing_is_unloaded(world):
    model = world.model()
    await use(model)
    await world.pass_time(10**9)
    assert await phase(model) is Phase.LOADED
    assert (await model.state()).unloads_at is None


async def test_a_model_in_use_is_not_unloaded_but_by_force(world):
    model = world.model()
    async with model.lease():
        with pytest.raises(ConflictError, match="in use by 1 request"):
            await model.unload()
        assert world.engine(model).is_up
        await model.unload(force=True)
        assert not world.engine(model).is_up
        await use(model)  # another loading, which the end of the first lease does not touch
    state = await model.state()
    assert (state.phase, state.users, world.engine(model).starts) == (Phase.LOADED, 0, 2)


async def test_a_request_that_comes_while_it_is_unloaded_waits_and_loads_it_again(world):
    model = world.model()
    await use(model)
    world.engine(model).exit.clear()
    unloading, request = asyncio.create_task(model.unload()), asyncio.create_task(use(model))
    await settled()
    assert await phase(model) is Phase.UNLOADING
    world.engine(model).exit.set()
    await asyncio.gather(unloading, request)
    assert (await phase(model), world.engine(model).starts) == (Phase.LOADED, 2)


async def test_to_unload_breaks_off_a_loading_that_nobody_waits_for(world):
    model = world.model()
    world.engine(model).gate.clear()
    model.begin_load()
    await settled()
    await model.unload()
    assert (await phase(model), world.engine(model).is_up, world.memory.held) == (Phase.UNLOADED, False, 0)


async def test_who_waits_for_a_loading_that_is_broken_off_by_force_is_told(world):
    model = world.model()
    world.engine(model).gate.clear()
    request = asyncio.create_task(use(model))
    await settled()
    with pytest.raises(ConflictError):
        await model.unload()
    await model.unload(force=True)
    with pytest.raises(EngineUnavailableError, match="was unloaded before it was ready"):
        await request


async def test_one_that_only_a_command_loads_answers_nobody_before(world):
    model = world.model(load="command", keep_alive="1m")
    with pytest.raises(EngineUnavailableError, match="tramontane models load model-1"):
        await use(model)
    assert not (await model.state()).answers

    await model.load()
    await use(model)
    await world.pass_time(60)  # at rest; the command stands
    await use(model)
    await model.unload()
    with pytest.raises(EngineUnavailableError, match="is not loaded"):
        await use(model)


async def test_after_the_end_nobody_is_served(world):
    model = world.model()
    async with model.lease():
        await model.close()
    with pytest.raises(EngineUnavailableError):
        await use(model)
    assert not world.engine(model).is_up
    await model.close()


async def test_the_start_of_the_server_tells_why_a_model_cannot_be_loaded(world):
    model = world.model(load="start")
    world.engine(model).failure = ModelStoreError("damaged")
    with pytest.raises(ModelStoreError, match="damaged"):
        await model.start()
    assert (world.engine(model).is_up, world.memory.held) == (False, 0)
