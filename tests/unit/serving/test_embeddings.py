import asyncio
import base64

import numpy as np
import pytest

from tests.support.metering import FreeMetering
from tests.support.scripted_engine import CONTEXT, ScriptedEmbeddingEngine, embedding_model
from tests.support.served import served
from tramontane.core.usage import Usage
from tramontane.core.vocabulary import TURN_END, TURN_START
from tramontane.errors import ContextLengthError, EmbeddingBatchError, InvalidModelError, InvalidRequestError
from tramontane.models.catalog import Catalog
from tramontane.schemas.embeddings import EmbeddingRequest
from tramontane.serving.embeddings import BRIEF_TOKENS, EmbeddingService

pytestmark = pytest.mark.anyio


async def embedded(engine=None, **fields):
    engine = engine or ScriptedEmbeddingEngine()
    request = EmbeddingRequest.model_validate({"model": "embed"} | fields)
    return await EmbeddingService(Catalog([served(embedding_model(engine))]), FreeMetering()).embed(
        CONTEXT, request
    )


def vector(text, dimension=4):
    ids = [TURN_START, *text.encode(), TURN_END, *([0] * 8)][:dimension]
    return [(i - 128) / 256 for i in ids]


async def test_every_input_has_its_vector_in_order():
    result = await embedded(input=["a", "", "bc"])
    assert [v.tolist() for v in result.vectors] == [vector("a"), vector(""), vector("bc")]
    assert result.usage == Usage(prompt_tokens=3 + 2 + 4)
    assert result.truncated_inputs == 0


async def test_one_string_is_one_input():
    result = await embedded(input="a")
    assert [v.tolist() for v in result.vectors] == [vector("a")]


async def test_inputs_longer_than_a_stand_in_reads_are_cut_and_counted():
    engine = ScriptedEmbeddingEngine(max_context_length=8)
    result = await embedded(engine, input=["x" * 100, "y"])
    assert result.truncated_inputs == 1
    assert engine.inputs == [[TURN_START, *b"xxxxxx", TURN_END], [TURN_START, *b"y", TURN_END]]
    assert result.usage.prompt_tokens == 8 + 3


async def test_fewer_dimensions_are_the_first_ones_as_they_are():
    result = await embedded(input="abc", output_dimension=2)
    assert result.vectors[0].tolist() == vector("abc")[:2]


async def test_more_dimensions_than_the_model_has_are_refused_with_the_sizes():
    with pytest.raises(InvalidRequestError, match="at most 4 for this model, got 5"):
        await embedded(input="abc", output_dimension=5)


async def test_type_and_encoding_are_those_that_were_asked_for():
    result = await embedded(input="abc", output_dtype="int8", encoding_format="base64")
    expected = [round(127 * x) for x in vector("abc")]
    assert np.frombuffer(base64.b64decode(result.vectors[0]), np.int8).tolist() == expected


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ([], "No inputs in request."),
        (["a"] * 513, "Too many inputs in request, split into more batches."),
        (["x" * 6000] * 3, "Too many tokens overall, split into more batches."),
        (["x" * 10**6, "y" * 10**6], "Too many tokens overall, split into more batches."),
    ],
)
async def test_batches_above_the_hosted_limits_are_refused_with_the_hosted_text(inputs, text):
    with pytest.raises(EmbeddingBatchError) as error:
        await embedded(input=inputs)
    assert error.value.message == text
    assert error.value.body()["code"] == "3210"


async def test_batches_within_the_hosted_limits_are_served():
    result = await embedded(input=["a"] * 512)
    assert len(result.vectors) == 512


async def test_one_input_above_the_hosted_context_is_refused():
    await embedded(input="x" * 8190)
    with pytest.raises(ContextLengthError, match="too large for model with 8192 maximum context length"):
        await embedded(input="x" * 8191)


async def test_a_model_without_embeddings_is_an_invalid_model():
    with pytest.raises(InvalidModelError):
        await embedded(input="a", model="chat")


async def test_a_brief_request_takes_no_slot_of_long_ones():
    """The one slot of each kind is held by a request that the engine does not end."""
    held, released = [], asyncio.Event()

    class HoldingEngine(ScriptedEmbeddingEngine):
        async def embed(self, inputs):
            held.append(len(inputs[0]))
            await released.wait()
            return await super().embed(inputs)

    engine = HoldingEngine(max_context_length=8192)
    service = EmbeddingService(Catalog([served(embedding_model(engine))]), FreeMetering())
    texts = ["x" * BRIEF_TOKENS, "x" * BRIEF_TOKENS, "x" * (BRIEF_TOKENS - 2), "y"]
    requests = [EmbeddingRequest(model="embed", input=text) for text in texts]
    tasks = [asyncio.create_task(service.embed(CONTEXT, request)) for request in requests]
    await asyncio.sleep(0.01)

    assert held == [BRIEF_TOKENS + 2, BRIEF_TOKENS]
    released.set()
    assert len(await asyncio.gather(*tasks)) == 4
