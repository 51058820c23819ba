import pytest

from tramontane.errors import (
    FeatureNotEnabledError,
    FunctionCallError,
    InvalidRequestError,
    ToolSchemaError,
)
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.serving.tools import ToolUse, tool_use


def function(name, **parameters):
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def request(**fields):
    return ChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    )


def names(**fields):
    use = tool_use(request(tools=[function("f"), function("g")], **fields))
    shown, forced = ([tool.function.name for tool in tools] for tools in (use.shown, use.forced))
    return shown, forced, use.max_calls


CHOSEN = {"type": "function", "function": {"name": "g"}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (["f", "g"], [], None)),
        ({"tool_choice": "auto", "parallel_tool_calls": False}, (["f", "g"], [], 1)),
        ({"tool_choice": "none"}, ([], [], None)),
        ({"tool_choice": "any"}, (["f", "g"], ["f", "g"], None)),
        ({"tool_choice": "required", "parallel_tool_calls": False}, (["f", "g"], ["f", "g"], 1)),
        ({"tool_choice": CHOSEN}, (["f", "g"], ["g"], 1)),
    ],
)
def test_the_choice_says_what_is_shown_and_what_must_be_called(fields, expected):
    assert names(**fields) == expected


@pytest.mark.parametrize("fields", [{}, {"tools": []}, {"tools": None, "tool_choice": "none"}])
def test_no_tools_ask_for_nothing(fields):
    assert tool_use(request(**fields)) == ToolUse()


@pytest.mark.parametrize("choice", ["any", "required", {"type": "function", "function": {"name": "h"}}])
def test_what_is_not_there_cannot_be_called(choice):
    with pytest.raises(InvalidRequestError, match="there is no such tool in tools"):
        tool_use(request(tool_choice=choice))


def test_tools_that_only_the_hosted_api_runs_are_refused():
    with pytest.raises(FeatureNotEnabledError) as error:
        tool_use(request(tools=[{"type": "web_search"}]))
    assert error.value.message == "Tool web_search is not enabled for this model"


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 65, "a.b"])
def test_names_of_functions_have_the_hosted_form(name):
    with pytest.raises(FunctionCallError) as error:
        tool_use(request(tools=[function(name)], tool_choice="none"))
    assert error.value.message == (
        f"Function name was {name} but must be a-z, A-Z, 0-9, or contain underscores and dashes, with a "
        "maximum length of 64."
    )


def test_parameters_must_be_a_json_schema():
    with pytest.raises(ToolSchemaError) as error:
        tool_use(request(tools=[function("f", type="object", properties=None)]))
    assert error.value.body()["message"] == "Invalid tool schema: None is not of type 'object'"
    assert error.value.body()["type"] == "invalid_request_tool_schema"


def test_there_may_be_as_many_tools_as_hosted():
    assert len(tool_use(request(tools=[function("f")] * 128)).shown) == 128
    with pytest.raises(InvalidRequestError, match="at most 128, got 129"):
        tool_use(request(tools=[function("f")] * 129))


def test_a_schema_without_end_is_an_error_of_the_request():
    nested: dict = {}
    for _ in range(5000):
        nested = {"not": nested}
    with pytest.raises(InvalidRequestError):
        tool_use(request(tools=[function("f", **nested)]))
