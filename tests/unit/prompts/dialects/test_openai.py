import base64

import pytest

from tramontane.core.remote import Dialect
from tramontane.errors import FeatureNotEnabledError, GreedySamplingError, MessageOrderError
from tramontane.prompts.dialects.requests import RemoteRenderer
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.schemas.superset import translate_chat

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
ALL = [Dialect.OPENAI, Dialect.VLLM, Dialect.LLAMA_CPP]


def request(messages=None, **fields):
    messages = messages or [{"role": "user", "content": "Hi"}]
    return ChatCompletionRequest.model_validate({"model": "m", "messages": messages, **fields})


def body(dialect=Dialect.VLLM, messages=None, **fields):
    return RemoteRenderer(dialect).chat(request(messages, **fields), "workspace").body


@pytest.mark.parametrize("dialect", ALL)
def test_a_plain_request_says_no_more_than_it_has_to(dialect):
    said = body(dialect)

    assert said.pop("stream_options")["include_usage"] is True
    assert said == {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("dialect", "max_tokens", "seed"),
    [
        (Dialect.OPENAI, "max_completion_tokens", -1),
        (Dialect.VLLM, "max_tokens", -1),
        (Dialect.LLAMA_CPP, "max_tokens", 0),
    ],
)
def test_length_and_seed_have_the_names_and_the_range_of_the_server(dialect, max_tokens, seed):
    said = body(dialect, max_tokens=7, random_seed=2**64 - 1 if seed else 2**32 - 1)

    assert said[max_tokens] == 7
    assert said["seed"] == seed


def test_what_a_server_has_no_word_for_is_refused_by_name():
    for fields in ({"top_k": 3}, {"min_tokens": 2}, {"repetition_penalty": 1.1}, {"logprobs": True}):
        with pytest.raises(FeatureNotEnabledError):
            body(Dialect.OPENAI, **fields)
    with pytest.raises(FeatureNotEnabledError, match="min_tokens"):
        body(Dialect.LLAMA_CPP, min_tokens=2)
    with pytest.raises(FeatureNotEnabledError, match="prompt_mode"):
        body(prompt_mode="reasoning")


def test_values_that_ask_for_nothing_are_left_out():
    said = body(Dialect.OPENAI, top_k=0, min_tokens=0, repetition_penalty=1.0, metadata={"a": 1})

    assert {"top_k", "min_tokens", "repetition_penalty", "metadata"}.isdisjoint(said)


def test_every_field_that_vllm_knows_goes_on():
    fields = {"top_k": 3, "min_tokens": 2, "repetition_penalty": 1.1, "presence_penalty": 0.5, "n": 2}

    assert fields.items() <= body(Dialect.VLLM, **fields).items()
    assert body(Dialect.LLAMA_CPP, repetition_penalty=1.1)["repeat_penalty"] == 1.1


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("auto", "auto"),
        ("any", "required"),
        ("required", "required"),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"type": "function", "function": {"name": "weather"}},
        ),
    ],
)
def test_tools_and_their_choice(choice, said):
    asked = body(tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)

    assert asked["tools"] == [TOOL]
    assert asked["tool_choice"] == said
    assert asked["parallel_tool_calls"] is False


def test_without_tools_nothing_is_said_of_them():
    assert "parallel_tool_calls" not in body(parallel_tool_calls=False)
    assert "tools" not in body(tools=[TOOL], tool_choice="none")


def test_a_schema_keeps_the_nulls_that_are_part_of_it():
    schema = {"type": "object", "properties": {"a": {"enum": [1, None], "default": None}}}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}

    assert body(response_format=form)["response_format"] == form


def test_a_conversation_with_calls_thoughts_and_pictures():
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": "https://example.org/a.png"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                {"type": "text", "text": "I look."},
            ],
            "tool_calls": [
                {"id": "call_0123456789", "function": {"name": "weather", "arguments": {"city": "Zürich"}}}
            ],
        },
        {"role": "tool", "content": "Sunny", "tool_call_id": "call_0123456789", "name": "weather"},
    ]

    system, user, assistant, tool = body(Dialect.VLLM, messages)["messages"]

    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"][1] == {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    [call] = assistant["tool_calls"]
    assert call["function"] == {"name": "weather", "arguments": '{"city": "Zürich"}'}
    assert assistant["content"] == "I look."
    assert assistant["reasoning_content"] == "Hm."
    assert tool == {"role": "tool", "content": "Sunny", "tool_call_id": call["id"]}
    assert "reasoning_content" not in body(Dialect.OPENAI, messages)["messages"][2]


def test_sound_has_its_format_beside_it():
    data = base64.b64encode(b"fLaC and more").decode()
    content = [{"type": "input_audio", "input_audio": data}]

    [chunk] = body(messages=[{"role": "user", "content": content}])["messages"][0]["content"]

    assert chunk["input_audio"] == {"data": data, "format": "flac"}


def test_content_that_only_the_hosted_api_reads_is_refused():
    content = [{"type": "document_url", "document_url": "https://example.org/a.pdf"}]

    with pytest.raises(FeatureNotEnabledError, match="Document input"):
        body(messages=[{"role": "user", "content": content}])


def test_a_prefix_goes_on_where_the_server_can_continue_it():
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hel", "prefix": True}]

    vllm = RemoteRenderer(Dialect.VLLM).chat(request(messages), "workspace")

    assert vllm.prefix == "Hel"
    assert vllm.body["continue_final_message"] is True
    with pytest.raises(FeatureNotEnabledError, match="prefix"):
        body(Dialect.OPENAI, messages)


@pytest.mark.parametrize("dialect", ALL)
def test_what_the_hosted_api_refuses_of_all_models_is_refused_here_too(dialect):
    with pytest.raises(GreedySamplingError):
        body(dialect, temperature=0, top_p=0.5)
    with pytest.raises(MessageOrderError):
        body(dialect, [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}])


def test_thinking_is_asked_for_in_the_ways_that_templates_know():
    assert body(reasoning_effort="none")["chat_template_kwargs"]["enable_thinking"] is False
    assert body(reasoning_effort="high")["reasoning_effort"] == "high"
    assert body(Dialect.OPENAI, reasoning_effort="low")["reasoning_effort"] == "low"
    assert "chat_template_kwargs" not in body(Dialect.OPENAI, reasoning_effort="low")


def test_a_default_temperature_stands_in_for_none():
    renderer = RemoteRenderer(Dialect.VLLM, default_temperature=0.3)

    assert renderer.chat(request(), "w").body["temperature"] == 0.3
    assert renderer.chat(request(temperature=0.0), "w").body["temperature"] == 0


def test_gaps_are_for_mistrals_api_alone():
    gap = FIMCompletionRequest(model="m", prompt="a", suffix="b", prompt_cache_key="k")

    assert RemoteRenderer(Dialect.MISTRAL).fim(gap, "w").body["suffix"] == "b"
    with pytest.raises(FeatureNotEnabledError, match="FIM"):
        RemoteRenderer(Dialect.VLLM).fim(gap, "w")


def test_mistrals_api_gets_what_the_client_has_sent_and_nothing_else():
    sent = {
        "messages": [
            {"role": "user", "content": "Hi", "name": "Ann"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "call_1", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "content": "x", "tool_call_id": "call_1"},
        ],
        "temperature": 1.9,
        "max_completion_tokens": 5,
        "seed": 7,
        "safe_prompt": True,
        "metadata": {"a": 1},
        "stream": True,
    }
    translated = ChatCompletionRequest.model_validate({"model": "m", **translate_chat(sent)})

    said = RemoteRenderer(Dialect.MISTRAL).chat(translated, "w").body

    call_id = said["messages"][1]["tool_calls"][0]["id"]
    assert len(call_id) == 9
    assert said == {
        "messages": [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "tool_calls": [{"id": call_id, "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "content": "x", "tool_call_id": call_id},
        ],
        "temperature": 1.5,
        "max_tokens": 5,
        "random_seed": 7,
        "safe_prompt": True,
    }
