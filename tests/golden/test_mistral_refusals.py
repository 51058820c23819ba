"""What is refused, in the hosted API's words, and odd histories that are not. Nothing becomes a 500."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.mistral_tokenizers import ALL, chat_input
from tramontane.errors import (
    AssistantMessageError,
    FeatureNotEnabledError,
    FunctionCallError,
    InvalidRequestError,
    MessageOrderError,
    ToolSchemaError,
)
from tramontane.prompts.mistral import MistralRenderer
from tramontane.weights.mistral_tokenizer import mistral_vocabulary

USER = {"role": "user", "content": "Paris?"}


def tool(name="get_weather", **parameters):
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"} | parameters}}


def calling(*ids, name="get_weather", **others):
    calls = [{"id": call_id, "function": {"name": name, "arguments": "{}"}} for call_id in ids]
    return {"role": "assistant", "tool_calls": calls} | others


def result(call_id, **others):
    return {"role": "tool", "tool_call_id": call_id, "content": "{}"} | others


def image(role="user"):
    return {"role": role, "content": [{"type": "image_url", "image_url": "https://example.com/i.png"}]}


REFUSED = {
    "nothing": ([], [], MessageOrderError, "Conversation must have at least one message"),
    "no question": (
        [USER, {"role": "assistant", "content": "x"}],
        [],
        MessageOrderError,
        "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
    ),
    "a result of no call": (
        [USER, result("aaaaaaaaa")],
        [],
        MessageOrderError,
        "Unexpected role 'tool' after role 'user'",
    ),
    "a call without its result": (
        [USER, calling("aaaaaaaaa"), USER],
        [],
        MessageOrderError,
        "Not the same number of function calls and responses",
    ),
    "the result of another call": (
        [USER, calling("aaaaaaaaa"), result("bbbbbbbbb")],
        [],
        MessageOrderError,
        "Unexpected tool call id bbbbbbbbb in tool results",
    ),
    "an answer that says nothing": (
        [USER, {"role": "assistant", "content": ""}, USER],
        [],
        AssistantMessageError,
        "Assistant message must have either content or tool_calls, but not none.",
    ),
    "a prefix before the end": (
        [USER, {"role": "assistant", "content": "x", "prefix": True}, USER],
        [],
        AssistantMessageError,
        "Assistant message with prefix True must be last message",
    ),
    "a call with a bad name": (
        [USER, calling("aaaaaaaaa", name="get weather"), result("aaaaaaaaa")],
        [],
        FunctionCallError,
        (
            "Function name was get weather but must be a-z, A-Z, 0-9, or contain underscores and dashes, "
            "with a maximum length of 64."
        ),
    ),
    "a tool with a bad name": (
        [USER],
        [tool("get weather")],
        FunctionCallError,
        (
            "Function name was get weather but must be a-z, A-Z, 0-9, or contain underscores and dashes, "
            "with a maximum length of 64."
        ),
    ),
    "a tool with a bad schema": (
        [USER],
        [tool(properties=None)],
        ToolSchemaError,
        "Invalid tool schema: None is not of type 'object'",
    ),
    "an image": ([image()], [], FeatureNotEnabledError, "Image input is not enabled for this model"),
    "an image of a tool": (
        [USER, calling("aaaaaaaaa"), image("tool") | {"tool_call_id": "aaaaaaaaa"}],
        [],
        FeatureNotEnabledError,
        "Image input is not enabled for this model",
    ),
}


@pytest.mark.parametrize("name", [name for name in ALL if name != "v1"])
@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_the_hosted_one(load, name, case):
    messages, tools, error, text = REFUSED[case]
    with pytest.raises(error) as caught:
        load(name).chat.render(chat_input(messages, tools), 10_000)

    assert type(caught.value) is error
    assert caught.value.message == text
    assert caught.value.status == 400


def test_a_tokenizer_without_tools_refuses_them(load):
    with pytest.raises(FeatureNotEnabledError, match="Function calling is not enabled for this model"):
        load("v1").chat.render(chat_input([USER], [tool()]), 10_000)
    with pytest.raises(InvalidRequestError):
        load("v1").chat.render(chat_input([USER, calling("a"), result("a")]), 10_000)


def test_old_tokenizers_take_content_or_calls(load):
    messages = [USER, calling("aaaaaaaaa", content="Let me see."), result("aaaaaaaaa")]
    with pytest.raises(AssistantMessageError, match="either content or tool_calls, but not both"):
        load("v3").chat.render(chat_input(messages), 10_000)


@pytest.mark.parametrize("name", ["v3", "v7-tekken", "v11-tekken", "v13-tekken"])
def test_ids_of_another_vendor_are_taken_unless_strict(load, name):
    loaded = load(name)
    messages = [USER, calling("call_98660886", "call_2"), result("call_98660886"), result("call_2")]
    rendered = loaded.chat.render(chat_input(messages), 10_000)
    spelled = loaded.spelled(rendered.prompt)
    assert "call_9" not in spelled
    assert "call_2" not in spelled

    vocabulary = mistral_vocabulary(loaded.reference)
    strict = MistralRenderer(loaded.reference, vocabulary, strict=True)
    with pytest.raises(FunctionCallError) as caught:
        strict.render(chat_input(messages), 10_000)
    assert caught.value.body() == {
        "object": "error",
        "message": "Tool call id was call_98660886 but must be a-z, A-Z, 0-9, with a length of 9.",
        "type": "invalid_function_call",
        "param": None,
        "code": "3280",
        "raw_status_code": 400,
    }


def test_calls_without_ids_find_their_results(load):
    loaded = load("v11-tekken")
    messages = [USER, calling("null", "null"), result(None, content="1"), result(None, content="2")]
    spelled = loaded.spelled(loaded.chat.render(chat_input(messages), 10_000).prompt)
    first, second = (part.partition("[ARGS]")[0] for part in spelled.split("[CALL_ID]")[1:])

    assert first != second
    assert f"[TOOL_RESULTS]{first}[TOOL_CONTENT]1[/TOOL_RESULTS]" in spelled
    assert f"[TOOL_RESULTS]{second}[TOOL_CONTENT]2[/TOOL_RESULTS]" in spelled


def test_an_answer_that_was_cut_while_it_thought_is_left_out_for_a_model_without_thoughts(load):
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Well"}], "closed": False}
    messages = [USER, {"role": "assistant", "content": [thought]}, {"role": "user", "content": "And?"}]
    for name in ("v3", "v7-tekken", "v11-tekken"):
        loaded = load(name)
        expected = [USER, {"role": "user", "content": "And?"}]
        assert loaded.chat.render(chat_input(messages), 1000) == loaded.chat.render(
            chat_input(expected), 1000
        )


texts = st.text(st.sampled_from('ab \n[]/\\"{}<s>é🌬\x00À風INSTTOOL_CALLS'), max_size=12)
chunks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.builds(
        lambda text, closed: {
            "type": "thinking",
            "thinking": [{"type": "text", "text": text}],
            "closed": closed,
        },
        texts,
        st.booleans(),
    ),
    st.just({"type": "reference", "reference_ids": [1]}),
    st.just({"type": "document_url", "document_url": "https://example.com"}),
)
contents = st.one_of(texts, st.lists(chunks, max_size=3))
ids = st.sampled_from(["aaaaaaaaa", "bbbbbbbbb", "call_1", "null", ""])
arguments = st.one_of(texts, st.just({}), st.just({"a": {"b": [1, None]}}))
calls = st.builds(
    lambda call_id, name, arguments: {"id": call_id, "function": {"name": name, "arguments": arguments}},
    ids,
    st.sampled_from(["f", "g h", ""]),
    arguments,
)
messages = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, st.one_of(contents, st.none())),
    st.builds(
        lambda content: {"role": "system", "content": content},
        st.one_of(
            texts,
            st.lists(
                st.one_of(chunks.filter(lambda chunk: chunk["type"] in ("text", "thinking"))), max_size=2
            ),
        ),
    ),
    st.builds(
        lambda content, calls, prefix: {
            "role": "assistant",
            "content": content,
            "tool_calls": calls,
            "prefix": prefix,
        },
        st.one_of(contents, st.none()),
        st.one_of(st.none(), st.lists(calls, max_size=2)),
        st.booleans(),
    ),
    st.builds(
        lambda content, call_id, name: {
            "role": "tool",
            "content": content,
            "tool_call_id": call_id,
            "name": name,
        },
        st.one_of(contents, st.none()),
        st.one_of(ids, st.none()),
        st.sampled_from([None, "f", "g h"]),
    ),
)


@pytest.mark.parametrize("name", [name for name in ALL if "images" not in name])
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(conversation=st.lists(messages, max_size=5), tools=st.sampled_from([[], [tool()]]))
def test_any_history_is_a_prompt_or_the_clients_error(load, name, conversation, tools):
    chat = chat_input(conversation, tools)
    try:
        outcome = load(name).chat.render(chat, 100_000)
    except InvalidRequestError as error:
        outcome = error
    match outcome:
        case InvalidRequestError(message=message):
            assert message
            assert "cannot encode" not in message
        case _:
            assert len(outcome.prompt) > 0
