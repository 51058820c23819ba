"""The official clients on scripted answers: what needs no model, and what a healthy server never shows."""

import base64

import numpy as np
import openai
import pytest
from mistralai.client import Mistral

from tests.api.conftest import CHAT
from tests.api.fakes import KEY, USAGE, answer
from tramontane.core.events import ChoiceEnd, FinishReason, TextDelta
from tramontane.errors import CapacityError, EngineError


@pytest.fixture
def openai_client(live):
    with openai.OpenAI(api_key=KEY, base_url=f"{live.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def mistral_client(live):
    with Mistral(api_key=KEY, server_url=live.url) as client:
        yield client


def test_openais_client_raises_on_a_stream_that_fails(openai_client, chat):
    chat.script = [TextDelta(0, "P"), EngineError()]
    stream = openai_client.chat.completions.create(**CHAT, stream=True)
    texts = []
    with pytest.raises(openai.APIError, match="Service unavailable"):
        texts.extend(chunk.choices[0].delta.content for chunk in stream)
    assert texts == ["", "P"]


def test_mistrals_client_reads_a_stream_of_several_answers(mistral_client, chat):
    chat.script = [
        TextDelta(1, "b"),
        ChoiceEnd(0, "a", FinishReason.LENGTH),
        ChoiceEnd(1, "", FinishReason.STOP, USAGE),
    ]
    chunks = [event.data for event in mistral_client.chat.stream(**CHAT, n=2)]

    assert [chunk.choices[0].index for chunk in chunks] == [0, 1, 1, 0, 1]
    assert chunks[-1].usage.total_tokens == 26
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_openais_client_says_when_to_come_back(openai_client, chat):
    chat.script = [CapacityError(retry_after=2)]
    with pytest.raises(openai.RateLimitError) as caught:
        openai_client.chat.completions.create(**CHAT)
    assert caught.value.response.headers["retry-after"] == "2"


def test_openais_client_sends_an_answer_back(openai_client, chat):
    chat.script = answer("Pong")
    message = openai_client.chat.completions.create(**CHAT).choices[0].message
    messages = [*CHAT["messages"], message, {"role": "user", "content": "Again"}]
    openai_client.chat.completions.create(model=CHAT["model"], messages=messages)

    assert [message.content for message in chat.requests[1].messages] == ["Ping", "Pong", "Again"]


def test_openais_client_reads_base64_vectors(openai_client, embeddings):
    vector = np.array([0.5, -0.25], dtype="<f4")
    embeddings.vectors = [base64.b64encode(vector.tobytes()).decode()]
    answered = openai_client.embeddings.create(model="mistral-embed", input="x")

    assert embeddings.requests[0].encoding_format == "base64"
    assert answered.data[0].embedding == [0.5, -0.25]


def test_both_clients_list_the_models(openai_client, mistral_client):
    assert [model.id for model in openai_client.models.list()] == [
        card.id for card in mistral_client.models.list().data
    ]
    assert mistral_client.models.retrieve(model_id="org/model:tag").name == "tiny-chat"
