"""Calls and forms of models that speak Mistral, in the format of every tokenizer, by the real engine."""

import json
import re

import pytest
from jsonschema import Draft7Validator

from tests.support.mistral_chat import MODEL, USER, chat, events_of, function, mistral_server
from tests.support.mistral_model import CALL, RESULT, SAID, SECOND_CALL, THOUGHT

pytestmark = [pytest.mark.e2e, pytest.mark.engine]

TOKENIZERS = [
    "v2",
    "v3",
    "v3-tekken",
    "v7",
    "v7-tekken",
    "v11-tekken",
    "v13-tekken",
    "v13-tekken-thoughts",
    "v15-tekken-schemas",
]
ADD = function("add", a={"type": "integer"})
SUB = function("sub")
SWITCH = function("switch", on={"type": "boolean"}, to={"enum": ["low", "high"]})
TOOLS = {tool["function"]["name"]: tool for tool in (ADD, SUB, SWITCH)}
BOTH = {"role": "user", "content": "Please do it again"}
FORM = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": SWITCH["function"]["parameters"], "strict": True},
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request):
    return request.param


@pytest.fixture(scope="module")
def client(tmp_path_factory, builtin_cache_dir, tokenizer):
    with mistral_server(tmp_path_factory, builtin_cache_dir, tokenizer) as server, server.client() as client:
        yield client


@pytest.fixture
def thinks(tokenizer):
    return "thoughts" in tokenizer or tokenizer.startswith("v15")


def called(message):
    """The calls of an answer, each checked against its function."""
    for call in message["tool_calls"]:
        assert re.fullmatch(r"[a-zA-Z0-9]{9}", call["id"])
        assert call["type"] == "function"
        arguments = json.loads(call["function"]["arguments"])
        assert call["function"]["arguments"] == json.dumps(arguments)
        Draft7Validator(TOOLS[call["function"]["name"]]["function"]["parameters"]).validate(arguments)
    return [(call["function"]["name"], call["function"]["arguments"]) for call in message["tool_calls"]]


def only(answer):
    [choice] = answer["choices"]
    return choice["message"], choice["finish_reason"]


@pytest.mark.parametrize(
    "choice", ["any", "required", {"type": "function", "function": {"name": "switch"}}], ids=str
)
def test_forced_calls_are_valid_however_they_are_chosen(client, choice):
    fields = {"tools": [ADD, SWITCH], "tool_choice": choice, "temperature": 1.5, "random_seed": 1, "n": 4}
    for answer in chat(client, USER, max_tokens=400, **fields)["choices"]:
        assert answer["finish_reason"] == "tool_calls"
        assert not answer["message"]["content"]
        calls = called(answer["message"])
        assert calls
        if choice not in ("any", "required"):
            assert [name for name, _ in calls] == ["switch"]


def test_what_the_model_would_call_of_its_own_is_what_it_calls_when_it_must(client):
    message, reason = only(chat(client, USER, tools=[ADD, SWITCH], tool_choice="any"))
    assert called(message) == [CALL]
    assert reason == "tool_calls"


def test_several_forced_calls_each_have_their_mark(client):
    fields = {"tools": [ADD, SUB], "tool_choice": "any", "max_tokens": 120}
    message, _ = only(chat(client, BOTH, **fields))
    whole = [call for call in message["tool_calls"] if call["function"]["arguments"]]
    assert called({"tool_calls": whole})[0] == CALL
    assert len(whole) > 1
    assert not message["content"]

    [one] = called(only(chat(client, BOTH, **fields, parallel_tool_calls=False))[0])
    assert one == CALL


def test_text_and_several_calls_are_one_answer(client):
    message, reason = only(chat(client, BOTH, tools=[ADD, SUB]))
    assert reason == "tool_calls"
    assert message["content"] == SAID
    assert called(message) == [CALL, SECOND_CALL]


def test_text_is_streamed_before_calls_that_come_whole(client):
    *_, before, last = events_of(client, model=MODEL, messages=[BOTH], tools=[ADD, SUB], temperature=0)
    assert before["choices"][0]["delta"]["content"]
    assert before["choices"][0]["finish_reason"] is None
    [choice] = last["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert called(choice["delta"]) == [CALL, SECOND_CALL]
    assert [call["index"] for call in choice["delta"]["tool_calls"]] == [0, 1]
    assert last["usage"] == chat(client, BOTH, tools=[ADD, SUB])["usage"] | {
        name: last["usage"][name] for name in last["usage"] if "cached" in name or "details" in name
    }


def test_an_answer_ends_with_the_only_call_that_it_may_have(client):
    whole = chat(client, BOTH, tools=[ADD, SUB])
    single = chat(client, BOTH, tools=[ADD, SUB], parallel_tool_calls=False)
    message, reason = only(single)
    assert reason == "tool_calls"
    assert message["content"] == SAID
    assert called(message) == [CALL]
    assert single["usage"]["completion_tokens"] < whole["usage"]["completion_tokens"]


def test_a_strict_function_is_called_as_its_schema_says(client):
    seven = {"enum": [7]}
    free, _ = only(chat(client, USER, tools=[function("add", a=seven)]))
    assert free["tool_calls"][0]["function"]["arguments"] == CALL[1]

    strict = function("add", strict=True, a=seven)
    message, reason = only(chat(client, USER, tools=[strict], parallel_tool_calls=False, max_tokens=60))
    assert reason == "tool_calls"
    assert called(message) == [("add", '{"a": 7}')]


def test_beside_strict_functions_the_model_says_what_it_likes(client):
    strict = function("add", strict=True, a={"type": "integer"})
    message, _ = only(chat(client, USER, tools=[strict]))
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "2"}
    answer, reason = only(chat(client, USER, message, result, tools=[strict]))
    assert (answer["content"], reason) == (RESULT, "stop")
    assert answer["tool_calls"] is None


def test_an_answer_has_its_form_or_is_a_call(client):
    fields = {"tools": [ADD], "response_format": FORM, "max_tokens": 120}
    message, reason = only(chat(client, USER, **fields))
    assert called(message) == [CALL]
    assert reason == "tool_calls"

    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "2"}
    answer, reason = only(chat(client, USER, message, result, **fields))
    if answer["tool_calls"]:
        assert called(answer)
    else:
        Draft7Validator(FORM["json_schema"]["schema"]).validate(json.loads(answer["content"]))


def test_a_form_is_obeyed_and_begins_without_a_blank(client):
    fields = {"response_format": FORM, "temperature": 1.5, "n": 4, "random_seed": 1, "max_tokens": 120}
    for choice in chat(client, USER, **fields)["choices"]:
        assert choice["finish_reason"] == "stop"
        content = choice["message"]["content"]
        Draft7Validator(FORM["json_schema"]["schema"]).validate(json.loads(content))
        assert content == json.dumps(json.loads(content))


def test_forced_calls_that_are_cut_at_any_token_have_arguments_or_none(client):
    whole = chat(client, USER, tools=[ADD], tool_choice="any")["usage"]["completion_tokens"]
    reasons, seen = set(), set()
    for max_tokens in range(1, whole + 1):
        message, reason = only(chat(client, USER, tools=[ADD], tool_choice="any", max_tokens=max_tokens))
        calls = message["tool_calls"] or []
        seen.update(call["function"]["arguments"] for call in calls)
        reasons.add(reason)
        assert not message["content"]
        if reason == "tool_calls":
            assert called(message) == [CALL]
    assert seen == {"", CALL[1]}
    assert "length" in reasons


def test_a_model_that_is_asked_to_thinks_before_it_obeys(client, thinks):
    if not thinks:
        pytest.skip("it does not think")
    fields = {"reasoning_effort": "high", "max_tokens": 200}
    message, reason = only(chat(client, USER, tools=[ADD], tool_choice="any", **fields))
    assert reason == "tool_calls"
    assert message["content"][0]["thinking"] == [{"type": "text", "text": THOUGHT}]
    assert [name for name, _ in called(message)] == ["add"]

    message, _ = only(chat(client, USER, response_format=FORM, **fields))
    thought, text = message["content"]
    assert thought["thinking"] == [{"type": "text", "text": THOUGHT}]
    Draft7Validator(FORM["json_schema"]["schema"]).validate(json.loads(text["text"]))
