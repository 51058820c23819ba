"""The official `openai` client, unmodified but for its base URL and key, against a real server."""

import math

import openai
import pytest

pytestmark = pytest.mark.e2e

QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one short sentence."}]


@pytest.fixture
def client(server):
    with openai.OpenAI(api_key=server.key, base_url=f"{server.base_url}/v1", max_retries=0) as client:
        yield client


def test_chat_with_openais_own_field_names(client):
    answer = client.chat.completions.create(
        model="mistral-large-latest",
        messages=[{"role": "developer", "content": "You answer briefly."}, *QUESTION],
        max_completion_tokens=30,
        seed=3,
        temperature=0,
        user="someone",
        store=False,
    )

    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].message.tool_calls is None
    assert answer.usage.completion_tokens <= 30


def test_temperature_up_to_two_is_accepted(client):
    answer = client.chat.completions.create(
        model="mistral-large-latest", messages=QUESTION, temperature=2, max_tokens=5
    )

    assert answer.choices[0].finish_reason in ("length", "stop")


def test_streaming_with_usage(client):
    stream = client.chat.completions.create(
        model="mistral-large-latest",
        messages=QUESTION,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "Paris" in text
    assert next(chunk.usage for chunk in chunks if chunk.usage).completion_tokens > 3


def test_streaming_helper_folds_to_the_same_message(client):
    with client.chat.completions.stream(
        model="mistral-large-latest", messages=QUESTION, temperature=0
    ) as stream:
        events = list(stream)
        final = stream.get_final_completion()

    assert (
        "".join(event.delta for event in events if event.type == "content.delta")
        == final.choices[0].message.content
    )


@pytest.mark.anyio
async def test_async_streaming(server):
    async with openai.AsyncOpenAI(api_key=server.key, base_url=f"{server.base_url}/v1") as client:
        stream = await client.chat.completions.create(
            model="mistral-small-latest", messages=QUESTION, temperature=0, stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert "Paris" in text


def test_embeddings_come_as_base64_by_default_and_as_floats_on_request(client):
    packed = client.embeddings.create(model="mistral-embed", input=["one text", "another"])
    plain = client.embeddings.create(
        model="mistral-embed", input=["one text", "another"], encoding_format="float"
    )

    assert len(packed.data) == 2
    for left, right in zip(packed.data[0].embedding, plain.data[0].embedding, strict=True):
        assert math.isclose(left, right, abs_tol=1e-6)


def test_embedding_dimensions(client):
    answer = client.embeddings.create(model="codestral-embed", input="text", dimensions=64)

    assert len(answer.data[0].embedding) == 64


def test_models(client):
    ids = [model.id for model in client.models.list()]

    assert "mistral-large-latest" in ids
    assert client.models.retrieve("mistral-embed").id == "mistral-embed"


def test_errors_are_the_clients_own_classes(server, client):
    with pytest.raises(openai.BadRequestError, match="Invalid model"):
        client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    with pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(model="mistral-large-latest", messages=QUESTION, temperature="hot")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")
    with (
        openai.OpenAI(api_key="wrong", base_url=f"{server.base_url}/v1") as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()
