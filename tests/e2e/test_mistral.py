"""A model that speaks Mistral, from its folder to the wire: real tokenizer, real engine, hosted shapes."""

import re

import pytest

from tests.support.mistral_chat import MODEL, USER, chat, events_of, function, mistral_server
from tests.support.mistral_model import ANSWER, CALL, CHAT, GAP, RESULT, THOUGHT
from tests.support.mistral_tokenizers import SINCE

pytestmark = [pytest.mark.e2e, pytest.mark.engine]

TOOL = function(CALL[0], a={"type": "integer"})
GAP_BEFORE, GAP_AFTER = f"def add(a, b):\n   {GAP[0]}", "\n\nprint(add(1, 2))"


@pytest.fixture(scope="module", params=["v3", "v7-tekken", "v11-tekken", "v13-tekken-thoughts", "v15-tekken"])
def tokenizer(request):
    return request.param


@pytest.fixture(scope="module")
def client(tmp_path_factory, builtin_cache_dir, tokenizer):
    with mistral_server(tmp_path_factory, builtin_cache_dir, tokenizer) as server, server.client() as client:
        yield client


def test_a_question_is_answered(client):
    answer = chat(client, USER)
    assert answer["choices"] == [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "tool_calls": None, "content": CHAT},
        }
    ]


def test_a_stream_says_the_same(client):
    chunks = events_of(client, model=MODEL, messages=[USER], temperature=0)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == CHAT
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] > 0


def test_tools_are_called_in_the_hosted_shape(client):
    choice = chat(client, USER, tools=[TOOL])["choices"][0]
    call = choice["message"]["tool_calls"][0]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == ""
    assert call["function"] == {"name": CALL[0], "arguments": CALL[1]}
    assert call["type"] == "function"
    assert re.fullmatch(r"[a-zA-Z0-9]{9}", call["id"])


def test_streamed_calls_come_whole_with_reason_and_usage(client):
    *_, last = events_of(client, model=MODEL, messages=[USER], tools=[TOOL], temperature=0)
    choice = last["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["delta"]["tool_calls"][0]["function"] == {"name": CALL[0], "arguments": CALL[1]}
    assert last["usage"]["completion_tokens"] > 0


def test_the_result_of_a_call_is_read(client):
    called = chat(client, USER, tools=[TOOL])["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "2"}
    answer = chat(client, USER, called, result, tools=[TOOL])
    assert answer["choices"][0]["message"]["content"] == RESULT


def test_a_gap_is_filled_as_the_model_was_trained_to(client):
    body = {"model": "codestral-latest", "prompt": GAP_BEFORE, "suffix": GAP_AFTER, "temperature": 0}
    answer = client.post("/v1/fim/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == GAP[1]
    assert answer["choices"][0]["finish_reason"] == "stop"

    chunks = events_of(client, "/v1/fim/completions", **body)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == GAP[1]


def test_the_end_of_the_context_is_model_length(client, tokenizer):
    if tokenizer != "v15-tekken":
        pytest.skip("the tokenizer makes no difference")
    (card,) = [card for card in client.get("/v1/models").json()["data"] if card["id"] == "codestral-latest"]
    body = {"model": "codestral-latest", "prompt": "x = 1", "min_tokens": 100_000, "max_tokens": None}
    answer = client.post("/v1/fim/completions", json=body).json()
    assert answer["choices"][0]["finish_reason"] == "model_length"
    assert answer["usage"]["total_tokens"] == card["max_context_length"]


def test_a_prefix_goes_on_where_it_ends(client):
    answer = chat(client, USER, {"role": "assistant", "content": "Hello!", "prefix": True})
    assert answer["choices"][0]["message"]["content"] == CHAT


def test_a_model_that_thinks_says_what_it_thought(client, tokenizer):
    body = {"model": MODEL, "messages": [USER], "reasoning_effort": "high", "temperature": 0}
    answer = client.post("/v1/chat/completions", json=body)
    if SINCE[tokenizer] < 13:
        assert answer.status_code == 400
        assert answer.json()["message"] == "reasoning_effort is not enabled for this model"
        return
    content = answer.json()["choices"][0]["message"]["content"]
    assert [chunk["type"] for chunk in content] == ["thinking", "text"]
    assert content[0]["thinking"] == [{"type": "text", "text": THOUGHT}]
    assert content[1]["text"] == ANSWER


def test_ids_of_another_vendor_are_taken(client):
    call = {"id": "call_98660886", "type": "function", "function": {"name": CALL[0], "arguments": "{}"}}
    answer = chat(
        client,
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_98660886", "content": "2"},
    )
    assert answer["choices"][0]["message"]["content"] == RESULT
