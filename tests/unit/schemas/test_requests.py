"""Ranges, kinds and places of errors; the comparison field by field is in tests/contract."""

import pytest
from pydantic import ValidationError

from tramontane.schemas.base import MAX_FIELDS
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.embeddings import EmbeddingRequest
from tramontane.schemas.fim import FIMCompletionRequest

QUESTION = {"role": "user", "content": "Hi"}
CHAT = {"model": "m", "messages": [QUESTION]}


def chat(**fields):
    return ChatCompletionRequest.model_validate(CHAT | fields)


def locations(**fields):
    with pytest.raises(ValidationError) as caught:
        chat(**fields)
    return [error["loc"] for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("temperature", [None, 0, 1.5], [-0.1, 1.51, "hot"]),
        ("top_p", [None, 0.01, 1], [0, 1.01, -1]),
        ("max_tokens", [None, 0, 10_000_000], [-1, 1.5]),
        ("min_tokens", [None, 0], [-1]),
        ("random_seed", [None, 0, 2**64 - 1], [-1, 2**64]),
        ("presence_penalty", [None, -2, 2], [-2.1, 2.1]),
        ("frequency_penalty", [None, -2, 2], [-2.1, 2.1]),
        ("repetition_penalty", [None, 0.1, 1.5], [0, -1]),
        ("top_k", [None, 0, 50], [-1, 1.5]),
        ("n", [None, 1, 128], [0, -1, 129]),
        ("stop", [None, "x", ["x", "y"], []], [5, [5]]),
        ("logprobs", [None, True], ["maybe"]),
        ("top_logprobs", [None, 5], [-1]),
        ("metadata", [None, {"a": {"b": [1]}}], ["x", []]),
        ("reasoning_effort", [None, "none", "high", "max"], ["extreme"]),
        ("prompt_mode", [None, "reasoning"], ["other"]),
        ("service_tier", [None, "auto", "standard_only"], ["default"]),
        ("tool_choice", ["auto", "none", "any", "required"], ["maybe", None]),
        ("response_format", [{"type": "json_object"}], [None, {"type": "xml"}]),
        ("safe_prompt", [True], [None]),
        ("guardrails", [None, [], [{"block_on_error": True}]], [[{"unknown": 1}]]),
        ("tools", [None, []], [[{"type": "unknown"}], [{}]]),
    ],
)
def test_ranges(field, good, bad):
    for value in good:
        chat(**{field: value})
    for value in bad:
        assert {location[0] for location in locations(**{field: value})} == {field}


@pytest.mark.parametrize("schema", [ChatCompletionRequest, FIMCompletionRequest, EmbeddingRequest])
def test_metadata_is_kept_as_it_is_up_to_its_size(schema):
    def made(metadata):
        body = CHAT if schema is ChatCompletionRequest else {"model": "m", "prompt": "x", "input": "x"}
        fields = {name: value for name, value in body.items() if name in schema.model_fields}
        return schema.model_validate(fields | {"metadata": metadata})

    fits = {"ticket": {"id": 7, "é": None}, "text": "x" * 16_000}
    assert made(fits).metadata == fits

    with pytest.raises(ValidationError) as caught:
        made({"text": "x" * 17_000})
    (error,) = caught.value.errors()
    assert error["loc"] == ("metadata",)
    assert error["msg"] == "Object should have at most 16384 bytes as JSON"


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a.png", "data:image/png;base64,AAAA", "data:image/svg+xml;base64,AAAA", "https://"],
)
def test_places_where_an_image_may_be(url):
    for value in (url, {"url": url}):
        chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": value}]}])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "iVBORw0KGgo=",
        "http://example.org/a.png",
        "file:///etc/passwd",
        "data:text/plain;base64,AA",
        "data:,",
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_any_other_place_is_the_hosted_error(url, role):
    for value in (url, {"url": url}):
        with pytest.raises(ValidationError) as caught:
            chat(messages=[QUESTION, {"role": role, "content": [{"type": "image_url", "image_url": value}]}])
        (error,) = caught.value.errors()
        assert error["type"] == "value_error"
        assert error["loc"] == ()
        assert error["msg"] == (
            "Value error, Image content must be a URL (starting with 'https') or base64 encoded image "
            "(starting with 'data:image/<format>;base64,<image-base64>')."
        )


def test_messages_of_all_roles_and_chunks():
    request = chat(
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
                    {"type": "document_url", "document_url": "https://example.org/a.pdf"},
                    {"type": "file", "file_id": "00000000-0000-4000-8000-000000000000"},
                    {"type": "input_audio", "input_audio": "AAAA"},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "reference", "reference_ids": [1, "two"]},
                ],
                "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
            },
            {"role": "tool", "content": None, "tool_call_id": "0123456789abcdef", "name": "f"},
            {"role": "assistant", "content": "It", "prefix": True},
        ]
    )
    assert [message.role for message in request.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    call = request.messages[2].tool_calls[0]
    assert (call.id, call.type, call.index) == ("null", "function", 0)


@pytest.mark.parametrize(
    ("message", "location"),
    [
        ({"role": "user", "content": "x", "name": "n"}, ("user", "name")),
        ({"role": "assistant", "content": "x", "reasoning_content": "y"}, ("assistant", "reasoning_content")),
        ({"role": "system", "content": None}, ("system", "content", "str")),
        ({"role": "user"}, ("user", "content")),
        ({"role": "tool"}, ("tool", "content")),
        (
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "f", "arguments": "{}"}, "name": "f"}],
            },
            ("assistant", "tool_calls", 0, "name"),
        ),
    ],
)
def test_errors_are_found_under_the_role(message, location):
    assert locations(messages=[QUESTION, message])[0] == ("messages", 1, *location)


def test_tools_are_found_under_their_kind():
    tool = {"type": "function", "function": {"name": "f", "parameters": {}, "required": []}}
    assert locations(tools=[tool]) == [("tools", 0, "function", "function", "required")]


def test_a_schema_goes_by_its_name_on_the_wire():
    schema = {"name": "book", "schema": {"type": "object"}, "strict": True}
    request = chat(response_format={"type": "json_schema", "json_schema": schema})
    assert request.response_format.json_schema.schema_definition == {"type": "object"}
    assert locations(
        response_format={"type": "json_schema", "json_schema": {"name": "book", "schema_definition": {}}}
    )


def test_an_object_with_too_many_fields_is_one_error():
    with pytest.raises(ValidationError) as caught:
        chat(**{f"unknown{number}": 0 for number in range(MAX_FIELDS)})
    assert [error["type"] for error in caught.value.errors()] == ["too_many_fields"]


def test_requests_cannot_be_changed():
    with pytest.raises(ValidationError):
        chat().temperature = 1


def test_fim_has_no_chat_fields():
    request = FIMCompletionRequest(model="m", prompt="p")
    assert request.suffix == ""
    for field in ("n", "messages", "tools", "presence_penalty"):
        with pytest.raises(ValidationError, match="Extra inputs"):
            FIMCompletionRequest.model_validate({"model": "m", "prompt": "p", field: None})


@pytest.mark.parametrize("value", ["x", ["x"], [], [""]])
def test_embedding_inputs(value):
    assert EmbeddingRequest(model="m", input=value).input == value


@pytest.mark.parametrize("value", [None, 5, [1, 2], [[1, 2]], {"text": "x"}])
def test_embedding_inputs_are_text(value):
    with pytest.raises(ValidationError):
        EmbeddingRequest.model_validate({"model": "m", "input": value})
