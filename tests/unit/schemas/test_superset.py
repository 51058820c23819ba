import copy

import pytest
from pydantic import ValidationError

from tramontane.errors import FeatureNotEnabledError
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.embeddings import EmbeddingRequest
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.schemas.superset import (
    CHAT_RULES,
    EMBEDDING_RULES,
    FIM_RULES,
    MESSAGE_RULES,
    translate_chat,
    translate_embedding,
    translate_fim,
)
from tramontane.schemas.tools import Function

QUESTION = {"role": "user", "content": "Hi"}
CHAT = {"model": "m", "messages": [QUESTION]}


def chat(**fields):
    return ChatCompletionRequest.model_validate(translate_chat(CHAT | fields))


def messages(*messages):
    return chat(messages=list(messages)).messages


class TestChat:
    @pytest.mark.parametrize(
        ("fields", "attribute", "value"),
        [
            ({"max_completion_tokens": 5}, "max_tokens", 5),
            ({"max_completion_tokens": 5, "max_tokens": None}, "max_tokens", 5),
            ({"max_completion_tokens": 5, "max_tokens": 5}, "max_tokens", 5),
            ({"max_completion_tokens": None}, "max_tokens", None),
            ({"max_completion_tokens": None, "max_tokens": 7}, "max_tokens", 7),
            ({"seed": 3}, "random_seed", 3),
            ({"seed": -1}, "random_seed", 2**64 - 1),
            ({"seed": -(2**63)}, "random_seed", 2**63),
            ({"temperature": 2}, "temperature", 1.5),
            ({"temperature": 1.7}, "temperature", 1.5),
            ({"temperature": 1.5}, "temperature", 1.5),
            ({"temperature": 0.3}, "temperature", 0.3),
            ({"service_tier": "default"}, "service_tier", None),
            ({"stream": None}, "stream", False),
            ({"tool_choice": None}, "tool_choice", "auto"),
            ({"parallel_tool_calls": None}, "parallel_tool_calls", True),
            ({"tools": None}, "tools", None),
        ],
    )
    def test_fields_are_read_as_the_hosted_ones(self, fields, attribute, value):
        assert getattr(chat(**fields), attribute) == value

    @pytest.mark.parametrize(
        "fields",
        [
            {"user": "someone"},
            {"safety_identifier": "x"},
            {"store": True},
            {"store": None},
            {"stream_options": {"include_usage": True}},
            {"stream_options": {"include_usage": False, "include_obfuscation": False}},
            {"stream_options": None},
            {"logit_bias": {}},
            {"logit_bias": None},
            {"functions": None},
            {"function_call": None},
            {"modalities": ["text"]},
            {"audio": None},
            {"verbosity": "medium"},
            {"response_format": None},
            {"prediction": None},
        ],
        ids=str,
    )
    def test_fields_without_an_effect_are_left_out(self, fields):
        assert chat(**fields) == ChatCompletionRequest.model_validate(CHAT)

    @pytest.mark.parametrize(
        "fields",
        [
            {"logit_bias": {"50256": -100}},
            {"functions": [{"name": "f"}]},
            {"function_call": "auto"},
            {"modalities": ["text", "audio"]},
            {"audio": {"voice": "x"}},
            {"verbosity": "low"},
            {"web_search_options": {}},
        ],
        ids=str,
    )
    def test_fields_that_would_change_the_answer_are_refused_by_name(self, fields):
        (name,) = fields
        with pytest.raises(FeatureNotEnabledError, match=name):
            chat(**fields)

    @pytest.mark.parametrize(
        "fields",
        [
            {"n_predict": 5},
            {"stream_options": {"chunk_size": 3}},
            {"stream_options": True},
            {"service_tier": "flex"},
            {"max_completion_tokens": 5, "max_tokens": 6},
            {"seed": 3, "random_seed": 4},
            {"seed": "x"},
            {"seed": -(2**63) - 1},
            {"temperature": 2.01},
            {"temperature": -1},
            {"thinking": True},
        ],
        ids=str,
    )
    def test_what_is_unknown_to_both_or_out_of_both_ranges_is_refused_by_the_schema(self, fields):
        with pytest.raises(ValidationError):
            chat(**fields)

    def test_two_values_for_one_field_are_an_error_at_openais_name(self):
        with pytest.raises(ValidationError) as caught:
            chat(max_completion_tokens=5, max_tokens=6)
        assert caught.value.errors()[0]["loc"] == ("max_completion_tokens",)


class TestMessages:
    def test_developer_is_system(self):
        assert messages({"role": "developer", "content": "Be brief."}, QUESTION)[0].role == "system"

    def test_an_answer_of_openais_client_can_be_sent_back(self):
        echoed = {
            "role": "assistant",
            "content": "Hello",
            "refusal": None,
            "annotations": [],
            "audio": None,
            "function_call": None,
            "tool_calls": None,
            "parsed": None,
        }
        assert messages(QUESTION, echoed, QUESTION)[1].content == "Hello"

    @pytest.mark.parametrize("field", ["name", "reasoning_content", "cache_control"])
    @pytest.mark.parametrize("role", ["system", "user", "assistant"])
    def test_extras_of_messages_are_left_out(self, role, field):
        assert messages({"role": role, "content": "x", field: "y"})[0].content == "x"

    def test_a_tool_message_keeps_its_name(self):
        message = {"role": "tool", "content": "x", "name": "f", "tool_call_id": "call_0123456789"}
        assert messages(message)[0].name == "f"

    def test_a_refusal_is_what_was_said(self):
        assert messages({"role": "assistant", "content": None, "refusal": "No."})[0].content == "No."
        assert messages({"role": "assistant", "content": "Yes.", "refusal": "No."})[0].content == "Yes."
        parts = [{"type": "refusal", "refusal": "No."}]
        assert messages({"role": "assistant", "content": parts})[0].content[0].text == "No."

    def test_extras_of_chunks_are_left_out(self):
        chunk = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
        assert messages({"role": "user", "content": [chunk]})[0].content[0].text == "x"

    def test_openais_form_of_audio_is_read(self):
        chunk = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
        assert messages({"role": "user", "content": [chunk]})[0].content[0].input_audio == "AAAA"

    def test_extras_of_tool_calls_are_left_out(self):
        function = {"name": "f", "arguments": "{}", "parsed_arguments": {}}
        call = {"id": "call_0123456789", "type": "function", "name": "f", "index": None, "function": function}
        (message,) = messages({"role": "assistant", "content": None, "tool_calls": [call]})
        assert message.tool_calls[0].id == "call_0123456789"
        assert message.tool_calls[0].function.arguments == "{}"

    @pytest.mark.parametrize(
        "value",
        [None, 5, "text", {}, [5], [None], [{"role": []}], [{"content": 5, "tool_calls": {}}], [QUESTION, 5]],
        ids=str,
    )
    def test_shapes_that_are_no_messages_are_left_to_the_schema(self, value):
        with pytest.raises(ValidationError):
            chat(messages=value)


class TestFim:
    def fim(self, **fields):
        return FIMCompletionRequest.model_validate(translate_fim({"model": "m", "prompt": "p"} | fields))

    def test_editors_habits(self):
        request = self.fim(
            suffix=None, random_seed=2**64 - 1, presence_penalty=0, frequency_penalty=None, n=1
        )
        assert request.suffix is None
        assert request.random_seed == 2**64 - 1

    @pytest.mark.parametrize(
        "fields", [{"presence_penalty": 0.5}, {"frequency_penalty": -1}, {"n": 2}, {"logit_bias": {"1": 1}}]
    )
    def test_what_would_change_the_answer_is_refused_by_name(self, fields):
        (name,) = fields
        with pytest.raises(FeatureNotEnabledError, match=name):
            self.fim(**fields)

    def test_twinnys_field_is_unknown(self):
        with pytest.raises(ValidationError):
            self.fim(n_predict=5)


class TestEmbeddings:
    def test_openais_words(self):
        body = {"model": "m", "input": ["x"], "dimensions": 64, "user": "u", "encoding_format": None}
        request = EmbeddingRequest.model_validate(translate_embedding(body))
        assert request.output_dimension == 64
        assert request.encoding_format == "float"

    def test_token_ids_are_refused(self):
        with pytest.raises(ValidationError):
            EmbeddingRequest.model_validate(translate_embedding({"model": "m", "input": [[1, 2]]}))


def test_the_body_is_left_as_it_was():
    body = {
        "model": "m",
        "seed": 1,
        "messages": [
            {"role": "developer", "content": [{"type": "refusal", "refusal": "No."}]},
            {"role": "assistant", "tool_calls": [{"name": "f", "function": {"parsed_arguments": {}}}]},
        ],
    }
    before = copy.deepcopy(body)
    translate_chat(body)
    assert body == before


def test_a_request_in_mistrals_words_goes_through_untouched():
    body = {"model": "m", "messages": [QUESTION], "random_seed": 1}
    assert translate_chat(body) == body


@pytest.mark.parametrize("rules", [CHAT_RULES, FIM_RULES, EMBEDDING_RULES, MESSAGE_RULES])
def test_every_rule_can_be_read(rules):
    assert all(rule.says for rule in rules.values())


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ({"name": "f"}, Function(name="f", parameters={})),
        (
            {"name": "f", "description": None, "strict": None, "parameters": None},
            Function(name="f", parameters={}),
        ),
        (
            {"name": "f", "strict": True, "parameters": {"type": "object"}},
            Function(name="f", strict=True, parameters={"type": "object"}),
        ),
    ],
)
def test_functions_may_leave_out_what_openai_lets_them(function, expected):
    [tool] = chat(tools=[{"type": "function", "function": function}]).tools
    assert tool.function == expected
