import json
import re

import pytest

from tests.api.conftest import CHAT
from tests.api.fakes import NOW, USAGE
from tramontane.core.events import ChoiceEnd, FinishReason, TextDelta, ThinkingDelta, TokenLogprob, ToolCall
from tramontane.errors import (
    CapacityError,
    ContextLengthError,
    EngineError,
    EngineUnavailableError,
    FeatureNotEnabledError,
    GreedySamplingError,
    MessageOrderError,
)
from tramontane.observability.logging import correlation_id

pytestmark = pytest.mark.anyio

URL = "/v1/chat/completions"


async def test_an_answer_has_the_hosted_keys_in_the_hosted_order(client):
    response = await client.post(URL, json=CHAT)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer_id = response.json()["id"]
    assert re.fullmatch("[0-9a-f]{32}", answer_id)
    assert response.text == (
        f'{{"id":"{answer_id}","created":{NOW},"model":"mistral-large-latest","usage":{{"prompt_tokens":23,'
        '"total_tokens":26,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":16},'
        '"service_tier":"standard"},"object":"chat.completion","choices":[{"index":0,"finish_reason":"stop",'
        '"message":{"role":"assistant","tool_calls":null,"content":"Pong"}}]}'
    )


async def test_calls_have_the_hosted_shape(client, chat):
    calls = (ToolCall("aq1aPdShN", "look", '{"at": "Paris"}'), ToolCall("bbbbbbbbb", "stop", "{}"))
    chat.script = [ChoiceEnd(0, "", FinishReason.TOOL_CALLS, USAGE, calls)]
    response = await client.post(URL, json=CHAT)

    assert response.text.endswith(
        '"choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","tool_calls":['
        '{"id":"aq1aPdShN","type":"function",'
        '"function":{"name":"look","arguments":"{\\"at\\": \\"Paris\\"}"},"index":0},'
        '{"id":"bbbbbbbbb","type":"function","function":{"name":"stop","arguments":"{}"},"index":1}],'
        '"content":""}}]}'
    )


async def test_logprobs_have_the_hosted_shape(client, chat):
    tokens = (TokenLogprob(3, b"P", -0.25),)
    chat.script = [TextDelta(0, "P", tokens), ChoiceEnd(0, "", FinishReason.STOP, USAGE, logprobs=tokens)]
    response = await client.post(URL, json=CHAT)

    token = '{"token":"P","logprob":-0.25,"bytes":[80],"token_id":3,"top_logprobs":[]}'
    assert response.text.endswith(f'"content":"P"}},"logprobs":{{"content":[{token},{token}]}}}}]}}')


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("4", '"closed":true},{"type":"text","text":"4"}]'),
        ("", '"closed":false}]'),
    ],
)
async def test_thoughts_are_a_chunk_before_the_text(client, chat, text, content):
    chat.script = [
        ThinkingDelta(0, "2+"),
        ThinkingDelta(0, "2"),
        ChoiceEnd(0, text, FinishReason.STOP, USAGE),
    ]
    response = await client.post(URL, json=CHAT)

    assert response.text.endswith(
        '"content":[{"type":"thinking","thinking":[{"type":"text","text":"2+2"}],' + content + "}}]}"
    )


async def test_the_model_that_really_answered_is_named(client):
    response = await client.post(URL, json=CHAT)

    assert response.json()["model"] == "mistral-large-latest"
    assert response.headers["x-tramontane-model"] == "tiny-chat"


async def test_n_answers(client, chat):
    chat.script = [
        TextDelta(1, "b"),
        ChoiceEnd(0, "a", FinishReason.LENGTH),
        ChoiceEnd(1, "b", FinishReason.STOP, USAGE),
    ]
    response = await client.post(URL, json=CHAT | {"n": 2})

    choices = response.json()["choices"]
    assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in choices] == [
        (0, "a", "length"),
        (1, "bb", "stop"),
    ]


async def test_the_service_gets_the_request_in_the_name_of_the_key(client, chat):
    response = await client.post(URL, json=CHAT | {"temperature": 0.5})

    assert chat.requests[0].temperature == 0.5
    assert chat.contexts[0].principal.workspace_id == "workspace"
    assert chat.contexts[0].request_id == response.json()["id"]


async def test_openais_words_are_understood(client, chat):
    body = CHAT | {
        "max_completion_tokens": 7,
        "seed": 3,
        "user": "u",
        "stream_options": {"include_usage": True},
    }
    response = await client.post(URL, json=body)

    assert response.status_code == 200
    assert chat.requests[0].max_tokens == 7
    assert chat.requests[0].random_seed == 3


ENVELOPE = {"object": "error", "param": None}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            ContextLengthError(170397, 131072),
            400,
            {
                "message": "Prompt contains 170397 tokens and 0 draft tokens, too large for model with "
                "131072 maximum context length",
                "type": "invalid_request_invalid_args",
                "code": "3051",
            },
        ),
        (
            FeatureNotEnabledError("top_k sampling"),
            400,
            {
                "message": "top_k sampling is not enabled for this model",
                "type": "invalid_request_invalid_args",
                "code": "3051",
            },
        ),
        (
            GreedySamplingError(),
            400,
            {
                "message": "top_p must be 1 when using greedy sampling.",
                "type": "invalid_request_invalid_args",
                "code": "3054",
            },
        ),
        (
            MessageOrderError("Unexpected role 'tool' after role 'user'"),
            400,
            {
                "message": "Unexpected role 'tool' after role 'user'",
                "type": "invalid_request_message_order",
                "code": "3230",
            },
        ),
        (
            CapacityError(),
            429,
            {
                "message": "Service tier capacity exceeded for this model.",
                "type": "service_tier_capacity_exceeded",
                "code": "3505",
            },
        ),
        (
            EngineError(),
            500,
            {"message": "Service unavailable.", "type": "internal_server_error", "code": "1000"},
        ),
        (
            EngineUnavailableError("restarting"),
            503,
            {"message": "restarting", "type": "service_unavailable", "code": "1000"},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_errors_before_the_first_event_are_plain_answers(client, chat, error, status, body, stream):
    chat.script = [error]
    response = await client.post(URL, json=CHAT | {"stream": stream})

    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json() == ENVELOPE | body | {"raw_status_code": status}
    assert "mistral-correlation-id" in response.headers


async def test_refusals_that_pass_say_when_to_come_back(client, chat):
    chat.script = [CapacityError(retry_after=3)]
    assert (await client.post(URL, json=CHAT)).headers["retry-after"] == "3"


async def test_an_unknown_model_is_400(client):
    response = await client.post(URL, json=CHAT | {"model": "definitely-not-a-model"})

    assert response.status_code == 400
    assert response.json() == {
        "object": "error",
        "message": "Invalid model: definitely-not-a-model",
        "type": "invalid_model",
        "param": None,
        "code": "1500",
        "raw_status_code": 400,
    }
    assert "x-tramontane-model" not in response.headers


def note_correlation_id(record):
    record.correlation_id = correlation_id.get()
    return True


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fault_of_ours_is_the_hosted_500_and_says_nothing_else(client, chat, caplog, stream):
    caplog.handler.addFilter(note_correlation_id)
    chat.script = [ZeroDivisionError("secret detail")]
    response = await client.post(URL, json=CHAT | {"stream": stream})

    assert response.status_code == 500
    assert response.json() == {
        "object": "error",
        "message": "Service unavailable.",
        "type": "internal_server_error",
        "param": None,
        "code": "1000",
        "raw_status_code": 500,
    }
    assert "mistral-correlation-id" in response.headers
    failure = next(record for record in caplog.records if record.exc_info)
    assert failure.exc_info[0] is ZeroDivisionError
    assert failure.correlation_id == response.headers["mistral-correlation-id"]


async def test_text_of_any_script_comes_through(client, chat):
    text = 'naïve "日本" 🙂\n\u2028\x00\\'
    chat.script = [ChoiceEnd(0, text, FinishReason.STOP, USAGE)]
    response = await client.post(URL, json=CHAT | {"model": "org/model:tag"})

    assert json.loads(response.content)["choices"][0]["message"]["content"] == text
