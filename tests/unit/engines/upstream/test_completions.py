import asyncio
import contextlib
import json
from contextlib import aclosing
from dataclasses import replace

import pytest

from tests.support.upstream_stand_in import (
    DONE,
    StandIn,
    chunk,
    cuts_after,
    goes_on,
    hello,
    is_silent,
    refuses,
    says,
)
from tests.support.waiting import eventually
from tramontane.core.events import ChoiceEnd, FinishReason, TextDelta
from tramontane.core.remote import Dialect, RemoteRequest, RunningUsage
from tramontane.core.usage import Usage
from tramontane.engines.upstream.completions import UpstreamCompletionEngine
from tramontane.engines.upstream.options import PoolOptions, Timeouts
from tramontane.errors import (
    CapacityError,
    EngineError,
    EngineUnavailableError,
    UpstreamRefusalError,
)

pytestmark = pytest.mark.anyio

REQUEST = RemoteRequest("chat/completions", {"messages": [{"role": "user", "content": "Hi"}]})
HELLO = [TextDelta(0, "Hel"), ChoiceEnd(0, "lo", FinishReason.STOP, Usage(7, 2))]
QUICK = Timeouts(connect=1, first_token=0.3, between_tokens=0.3)


@pytest.fixture
async def servers():
    async with contextlib.AsyncExitStack() as stack:

        async def start(*acts, **fields):
            return await stack.enter_async_context(StandIn(acts=list(acts), **fields).serving())

        yield start


@pytest.fixture
async def pool():
    async with contextlib.AsyncExitStack() as stack:

        async def of(*servers, model="the-model", **options):
            urls = [server if isinstance(server, str) else server.url for server in servers]
            engine = UpstreamCompletionEngine(PoolOptions(urls, **options), model)
            stack.push_async_callback(engine.close)
            await engine.start()
            return engine

        yield of


async def complete(engine, request=REQUEST, used=None):
    async with aclosing(engine.complete(request, used or RunningUsage(50))) as events:
        return [event async for event in events]


async def dead_url():
    async with StandIn().serving() as server:
        return server.url


async def test_a_request_goes_on_as_it_is_and_its_answer_comes_back(servers, pool):
    server = await servers(says(*hello("Hel", "lo")))
    engine = await pool(server, key="the-key")

    assert await complete(engine) == HELLO
    [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "bearer the-key"
    assert request.body == {**REQUEST.body, "model": "the-model", "stream": True}


async def test_connections_are_used_again(servers, pool):
    server = await servers(says(*hello("Hel", "lo")))
    engine = await pool(server)
    before = server.connections

    for _ in range(5):
        await complete(engine)

    assert server.connections <= before + 1


@pytest.mark.parametrize(
    ("kind", "dialect", "context"),
    [
        ("mistral", Dialect.MISTRAL, 4096),
        ("vllm", Dialect.VLLM, 4096),
        ("llama.cpp", Dialect.LLAMA_CPP, 2048),
        ("openai", Dialect.OPENAI, None),
    ],
)
async def test_what_a_server_is_shows_in_its_list_of_models(servers, pool, kind, dialect, context):
    engine = await pool(await servers(kind=kind))

    assert (engine.facts.dialect, engine.facts.max_context_length) == (dialect, context)


async def test_the_only_model_of_a_server_is_meant_whatever_it_is_called(servers, pool):
    server = await servers(says(*hello("a")), kind="vllm")
    engine = await pool(server, model="another-name")

    await complete(engine)

    assert server.bodies[0]["model"] == "the-model"


async def test_a_server_that_lists_no_models_is_asked_all_the_same(servers, pool):
    server = await servers(says(*hello("Hel", "lo")), models=[])
    engine = await pool(server, model="its-name")

    assert await complete(engine) == HELLO
    assert server.bodies[0]["model"] == "its-name"


@pytest.mark.parametrize(
    "failing",
    [
        refuses(500),
        refuses(503, b"upstream connect error"),
        refuses(429),
        refuses(401, {"detail": "Invalid API Key"}),
        cuts_after(),
        cuts_after(b"data: {"),
        cuts_after(chunk(role="assistant", content="")),
        says(b"data: garbage\n\n"),
        says(DONE),
        says({"error": {"message": "out of memory", "code": 500}}),
        is_silent(),
        says(chunk(role="assistant", content=""), 60),
    ],
)
async def test_another_server_answers_when_one_fails_before_its_first_word(servers, pool, failing):
    broken = [await servers(failing) for _ in range(2)]
    well = await servers(says(*hello("Hel", "lo")))
    engine = await pool(*broken, well, timeouts=QUICK)

    assert await complete(engine) == HELLO


async def test_a_server_that_is_not_there_is_passed_over(servers, pool):
    engine = await pool(await dead_url(), await servers(says(*hello("Hel", "lo"))))

    assert await complete(engine) == HELLO


@pytest.mark.parametrize("broken", [cuts_after(*hello("Hel", "lo")[:2]), says(chunk(content="Hel"), 60)])
async def test_after_the_first_word_nobody_begins_anew_for_a_client_that_reads_along(servers, pool, broken):
    engine = await pool(await servers(broken), await servers(broken), timeouts=QUICK)
    events = engine.complete(REQUEST, RunningUsage(50))

    assert await anext(events) == TextDelta(0, "Hel")
    with pytest.raises(EngineError) as raised:
        await anext(events)
    assert raised.value.status == 500


async def test_for_a_client_that_waits_for_the_whole_another_server_begins_anew(servers, pool):
    broken = await servers(cuts_after(*hello("Hel", "lo")[:2]))
    engine = await pool(broken, await servers(says(*hello("Hel", "lo"))))
    used = RunningUsage(50)

    assert await complete(engine, replace(REQUEST, is_streamed=False), used) == HELLO
    assert len(broken.requests) == 1
    assert used.usage == Usage(7, 2)


async def test_a_request_at_fault_is_refused_without_asking_others(servers, pool):
    servers = [await servers(refuses(422, {"detail": "no such field"})) for _ in range(2)]
    engine = await pool(*servers)

    with pytest.raises(UpstreamRefusalError, match="no such field"):
        await complete(engine)
    assert sum(len(server.requests) for server in servers) == 1


async def test_when_all_are_busy_the_client_is_told_for_how_long(servers, pool):
    engine = await pool(*[await servers(refuses(429, None, "retry-after: 7")) for _ in range(2)])

    with pytest.raises(CapacityError) as raised:
        await complete(engine)
    assert raised.value.headers["retry-after"] == "7"
    with pytest.raises(CapacityError) as raised:  # and so is the next one, whom nobody asks
        await complete(engine)
    assert raised.value.headers["retry-after"] == "7"
    with pytest.raises(EngineUnavailableError):
        await engine.check_health()


@pytest.mark.parametrize("failing", [refuses(401), refuses(500), is_silent()])
async def test_when_all_fail_the_engine_is_unavailable(servers, pool, failing):
    engine = await pool(*[await servers(failing) for _ in range(2)], timeouts=QUICK)

    with pytest.raises(EngineUnavailableError) as raised:
        await complete(engine)
    assert "127.0.0.1" not in raised.value.message


async def test_no_more_servers_are_tried_than_allowed(servers, pool):
    broken = [await servers(refuses(500)) for _ in range(4)]
    engine = await pool(*broken, retries=1)

    with pytest.raises(EngineUnavailableError):
        await complete(engine)
    assert sum(len(server.requests) for server in broken) == 2


async def test_a_server_that_fails_again_and_again_is_left_alone(servers, pool):
    broken, well = await servers(refuses(500)), await servers(says(*hello("Hel", "lo")))
    engine = await pool(broken, well, breaker_failures=3, breaker_seconds=60)

    for _ in range(20):
        assert await complete(engine) == HELLO

    assert len(broken.requests) == 3


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(servers, pool):
    server = StandIn(acts=[says(*hello("Hel", "lo"))])
    async with server.serving() as first:
        port = first.port
        engine = await pool(server)
        await complete(engine)
    async with server.serving(port):
        assert await complete(engine) == HELLO


async def test_a_reader_that_leaves_closes_the_connection(servers, pool):
    server = await servers(goes_on("on and on ", pause=0.001))
    engine = await pool(server)
    events = engine.complete(REQUEST, RunningUsage(50))
    await anext(events)

    await events.aclose()

    await eventually(lambda: server.left == 1)
    assert engine.running == 0


async def test_cancelling_before_the_first_word_closes_the_connection_too(servers, pool):
    server = await servers(is_silent())
    engine = await pool(server)
    asking = asyncio.create_task(complete(engine))
    await eventually(lambda: server.open == 1)

    asking.cancel()

    await eventually(lambda: server.left == 1)
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    assert engine.running == 0


async def test_a_slow_reader_slows_the_server_down_instead_of_filling_memory(servers, pool):
    sent = 0

    async def floods(stand_in, request, writer):
        nonlocal sent
        data = b"data: %b\n\n" % json.dumps(chunk(content="x" * 10_000)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        while True:
            writer.write(data)
            await writer.drain()
            sent += len(data)

    engine = await pool(await servers(floods), timeouts=Timeouts(between_tokens=0.2))
    async with aclosing(engine.complete(REQUEST, RunningUsage(50))) as events:
        await anext(events)
        await asyncio.sleep(0.3)
        before = sent
        await asyncio.sleep(0.5)

        assert sent == before, "it goes on reading"
        assert sent < 64 * 1024 * 1024
        # The time for which we did not read is not the server's silence.
        assert await anext(events)


async def test_a_server_that_is_not_well_is_asked_no_more_until_it_is(servers, pool):
    server = await servers(says(*hello("Hel", "lo")), health=503)
    engine = await pool(server, health_interval=0.05)
    with pytest.raises(EngineUnavailableError):
        await complete(engine)

    server.health = 200

    await eventually(lambda: not engine._connection.pool.replicas[0].problem)
    assert await complete(engine) == HELLO


async def test_servers_may_come_after_the_start(pool):
    server = StandIn(acts=[says(*hello("Hel", "lo"))])
    async with server.serving() as first:
        port = first.port
    engine = await pool(server, health_interval=0.05)
    assert engine.facts is None

    async with server.serving(port):
        await eventually(lambda: not engine._connection.pool.replicas[0].problem)
        assert await complete(engine) == HELLO


async def test_a_conversation_goes_where_it_went_before(servers, pool):
    several = [await servers(says(*hello("Hel", "lo"))) for _ in range(4)]
    engine = await pool(*several)

    for _ in range(10):
        await complete(engine, replace(REQUEST, affinity=b"one conversation"))

    assert sorted(len(server.requests) for server in several) == [0, 0, 0, 10]


async def test_closing_the_engine_ends_what_runs(servers, pool):
    engine = await pool(await servers(goes_on("on ", pause=0.01)))
    events = engine.complete(REQUEST, RunningUsage(50))
    await anext(events)

    await engine.close()

    with pytest.raises(EngineError):
        async for _ in events:
            pass
    with pytest.raises(EngineUnavailableError):
        await complete(engine)


async def test_a_server_that_is_silent_once_when_asked_for_its_health_is_not_given_up(
    servers, pool, monkeypatch
):
    monkeypatch.setattr("tramontane.engines.upstream.health._SECONDS", 0.05)
    server = await servers(says(*hello("Hel", "lo")))
    engine = await pool(server, health_interval=3600)
    server.health = None  # says nothing

    await engine._connection._monitor.check()
    assert await complete(engine) == HELLO

    await engine._connection._monitor.check()
    with pytest.raises(EngineUnavailableError):
        await complete(engine)

    server.health = 200
    await engine._connection._monitor.check()
    assert await complete(engine) == HELLO


async def test_a_role_at_once_and_a_word_much_later_is_a_long_prompt(servers, pool):
    role, *rest = hello("Hel", "lo")
    server = await servers(says(role, 0.4, *rest))
    engine = await pool(server, timeouts=Timeouts(first_token=5, between_tokens=0.2))

    assert await complete(engine) == HELLO
