import base64
import contextlib

import numpy as np
import pytest

from tests.support.upstream_stand_in import StandIn, answers, cuts_after, refuses
from tramontane.core.usage import Usage
from tramontane.engines.upstream.embedding import UpstreamEmbeddingEngine
from tramontane.engines.upstream.options import PoolOptions
from tramontane.errors import EngineUnavailableError, UpstreamRefusalError

pytestmark = pytest.mark.anyio

VECTORS = {"a": [1.0, 0.0], "b": [0.0, 1.0]}


@contextlib.asynccontextmanager
async def pool(*acts):
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(StandIn(acts=[act]).serving()) for act in acts]
        engine = UpstreamEmbeddingEngine(PoolOptions([server.url for server in servers]), "the-model")
        stack.push_async_callback(engine.close)
        await engine.start()
        engine.servers = servers
        yield engine


def vectors(body):
    data = [{"embedding": VECTORS[text], "index": index} for index, text in enumerate(body["input"])]
    return {"data": data, "usage": {"prompt_tokens": 5}}


async def test_vectors_come_in_the_order_of_the_texts_whatever_their_own():
    def shuffled(body):
        said = vectors(body)
        return said | {"data": said["data"][::-1]}

    async with pool(answers(shuffled)) as engine:
        found, usage = await engine.embed_texts(["a", "b", "a"])

        assert found.tolist() == [[1, 0], [0, 1], [1, 0]]
        assert usage == Usage(5)
        assert engine.servers[0].bodies == [
            {"model": "the-model", "input": ["a", "b", "a"], "encoding_format": "float"}
        ]


async def test_servers_may_answer_in_base64_and_say_nothing_of_usage_or_order():
    data = base64.b64encode(np.array([0.5, -0.25], "<f4").tobytes()).decode()

    async with pool(answers({"data": [{"embedding": data}]})) as engine:
        found, usage = await engine.embed_texts(["a"])

    assert found.tolist() == [[0.5, -0.25]]
    assert usage is None


@pytest.mark.parametrize(
    "failing",
    [
        refuses(500),
        refuses(429),
        refuses(401),
        cuts_after(),
        answers(b"garbage"),
        answers({"data": []}),
        answers({"data": [{"embedding": [1.0]}, {"embedding": [1.0]}]}),
        answers({"data": [{"embedding": [1.0], "index": 7}]}),
        answers({"data": [{"embedding": []}]}),
        answers({"data": [{"embedding": "!!"}]}),
        answers({"data": [{"embedding": [1e300]}]}),
    ],
)
async def test_another_server_answers_when_one_fails(failing):
    async with pool(failing, failing, answers(vectors)) as engine:
        found, _ = await engine.embed_texts(["b"])

    assert found.tolist() == [[0, 1]]


async def test_when_all_fail_the_engine_is_unavailable():
    async with pool(refuses(500), cuts_after()) as engine:
        with pytest.raises(EngineUnavailableError):
            await engine.embed_texts(["a"])


async def test_a_request_at_fault_is_told_so():
    async with pool(refuses(400, {"message": "too many inputs"})) as engine:
        with pytest.raises(UpstreamRefusalError, match="too many inputs"):
            await engine.embed_texts(["a"])
