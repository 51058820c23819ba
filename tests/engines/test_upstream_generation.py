"""The engine that drives other servers by token ids, held to what every engine does."""

import asyncio
import contextlib

import pytest

from tests.engines.conformance import GenerationConformance, GenerationHarness, complete
from tests.engines.conformance_abilities import RefusalConformance
from tests.support.server import free_port
from tests.support.upstream_stand_in import DONE, StandIn, chunk, says
from tests.support.upstream_tokens import llama_cpp, vllm
from tramontane.core.events import FinishReason
from tramontane.core.remote import Dialect
from tramontane.core.vocabulary import BYTE_VOCABULARY
from tramontane.engines.fake.engine import FakeGenerationEngine
from tramontane.engines.fake.script import Rule, Script
from tramontane.engines.upstream.generation import UpstreamGenerationEngine
from tramontane.engines.upstream.options import PoolOptions
from tramontane.errors import EngineError, EngineUnavailableError, FeatureNotEnabledError

CONTEXT = 4096
LONG = " ".join(f"The {number}th word." for number in range(5000))
ACTS = {Dialect.VLLM: vllm, Dialect.LLAMA_CPP: llama_cpp}

pytestmark = pytest.mark.anyio


def prompt(length):
    return [97 + position % 26 for position in range(length)]


class Upstream(UpstreamGenerationEngine):
    """With two servers of its own, which start and end with it."""

    def __init__(self, dialect=Dialect.VLLM, act=None):
        self.model = FakeGenerationEngine(
            Script([Rule(answer=LONG)]), tokens_per_second=2000, max_context_length=CONTEXT
        )
        self.servers = [StandIn(dialect.value, [act or ACTS[dialect](self.model)]) for _ in range(2)]
        self._ports = [free_port() for _ in self.servers]
        super().__init__(
            PoolOptions([f"http://127.0.0.1:{port}/v1" for port in self._ports]),
            "the-model",
            vocabulary_size=len(BYTE_VOCABULARY),
            max_context_length=CONTEXT,
            dialect=dialect,
        )
        self._end = asyncio.Event()
        self._serving = None

    async def start(self):
        begun = asyncio.Event()
        # In a task of its own, since a fixture may be left in another one than it was entered in.
        self._serving = asyncio.create_task(self._serve(begun))
        await begun.wait()
        await super().start()

    async def close(self):
        await super().close()
        self._end.set()
        if self._serving is not None:
            await self._serving

    async def _serve(self, begun):
        await self.model.start()
        async with contextlib.AsyncExitStack() as stack:
            for server, port in zip(self.servers, self._ports, strict=True):
                await stack.enter_async_context(server.serving(port))
            begun.set()
            await self._end.wait()


async def is_idle(engine):
    return engine.running == engine.model.running == 0 and not any(server.open for server in engine.servers)


@pytest.fixture(scope="module")
def harness():
    return GenerationHarness(
        create=Upstream,
        prompt=prompt,
        is_idle=is_idle,
        samples=False,
        cached_block=None,
        cache_tokens=None,
        vocabulary=BYTE_VOCABULARY,
    )


class TestUpstreamGeneration(GenerationConformance):
    pass


class TestUpstreamRefusals(RefusalConformance):
    pass


@contextlib.asynccontextmanager
async def upstream(dialect, act=None):
    engine = Upstream(dialect, act)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


async def test_vllm_is_asked_for_everything_and_returns_log_probabilities():
    async with upstream(Dialect.VLLM) as engine:
        answer = await complete(
            engine,
            prompt(5),
            max_tokens=7,
            temperature=0.5,
            seed=2**64 - 1,
            logprobs=True,
            grammar='root ::= "a"',
            stop_token_ids=frozenset({257}),
        )

        assert [logprob for delta in answer.deltas for logprob in delta.logprobs] == [-0.5] * 7
        [body] = [body for server in engine.servers for body in server.bodies]
        assert body["prompt"] == prompt(5)
        assert body["seed"] == -1
        assert body["structured_outputs"] == {"grammar": 'root ::= "a"'}
        assert body["stop_token_ids"] == [257]


async def test_llama_cpp_is_stopped_from_here():
    async with upstream(Dialect.LLAMA_CPP) as engine:
        whole = await complete(engine, prompt(5), max_tokens=40)
        assert (len(whole.token_ids), whole.finish_reason) == (40, FinishReason.LENGTH)
        assert whole.deltas[0].cached_tokens == 3
        stop = whole.token_ids[20]

        answer = await complete(engine, prompt(5), max_tokens=40, stop_token_ids=frozenset({stop}))

        assert answer.token_ids == whole.token_ids[: whole.token_ids.index(stop)]
        assert answer.finish_reason is FinishReason.STOP


async def test_what_llama_cpp_cannot_do_is_refused():
    async with upstream(Dialect.LLAMA_CPP) as engine:
        for params in ({"min_tokens": 3}, {"grammar": 'root ::= "a"'}, {"logprobs": True}):
            with pytest.raises(FeatureNotEnabledError):
                await complete(engine, prompt(5), **params)


@pytest.mark.parametrize(
    "act",
    [
        says({"choices": [{"text": "words, but no ids", "finish_reason": None}]}, DONE),
        says({"choices": [{"text": "", "token_ids": [999], "finish_reason": "length"}]}, DONE),
        says({"choices": [{"text": "", "token_ids": [97] * 50, "finish_reason": "length"}]}, DONE),
        says({"choices": [{"text": "", "token_ids": [97], "finish_reason": "abort"}]}, DONE),
        says(DONE),
        says("garbage"),
        says(chunk(content="a chunk of chat"), DONE),
    ],
)
async def test_a_server_that_cannot_be_driven_by_tokens_is_no_engine(act):
    async with upstream(Dialect.VLLM, act) as engine:
        with pytest.raises(EngineUnavailableError):
            await complete(engine, prompt(5))


async def test_a_server_that_breaks_off_ends_the_answer_with_an_error():
    act = says({"choices": [{"text": "a", "token_ids": [97], "finish_reason": None}]})
    async with upstream(Dialect.VLLM, act) as engine:
        with pytest.raises(EngineError) as raised:
            await complete(engine, prompt(5))
        assert raised.value.status == 500


async def test_connections_are_used_again():
    async with upstream(Dialect.VLLM) as engine:
        for _ in range(6):
            await complete(engine, prompt(5))

        assert sum(server.connections for server in engine.servers) <= 4
