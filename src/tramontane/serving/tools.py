"""What a request asks of tools: checked, and in the words of the model side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError as InvalidSchemaError

from tramontane.errors import FeatureNotEnabledError, FunctionCallError, InvalidRequestError, ToolSchemaError
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.tools import AnyTool, Function, Tool, ToolChoice, ToolChoiceEnum

MAX_TOOLS: Final = 128
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The tools of one request."""

    shown: tuple[Tool, ...] = ()
    """What the model is told of."""
    forced: tuple[Tool, ...] = ()
    """One of these must be called; empty if the model may decide."""
    max_calls: int | None = None
    """Calls that an answer may have."""


def tool_use(request: ChatCompletionRequest) -> ToolUse:
    """What `tools`, `tool_choice` and `parallel_tool_calls` ask for.

    Raises:
        FeatureNotEnabledError: a tool that only the hosted API runs.
        FunctionCallError: the name of a function cannot be.
        ToolSchemaError: parameters are not a JSON Schema of draft 7.
        InvalidRequestError: too many tools, or a choice of one that is not there.
    """
    tools = _checked(request.tools or ())
    forced = _forced(tools, request.tool_choice)
    if request.tool_choice == ToolChoiceEnum.none or not tools:
        return ToolUse()
    is_single = not request.parallel_tool_calls or isinstance(request.tool_choice, ToolChoice)
    return ToolUse(tools, forced, max_calls=1 if is_single else None)


def _checked(tools: Sequence[AnyTool]) -> tuple[Tool, ...]:
    if len(tools) > MAX_TOOLS:
        raise InvalidRequestError(f"Too many tools: at most {MAX_TOOLS}, got {len(tools)}")
    functions: list[Tool] = []
    for tool in tools:
        if not isinstance(tool, Tool):
            raise FeatureNotEnabledError(f"Tool {tool.type}")
        _check_function(tool.function)
        functions.append(tool)
    return tuple(functions)


def _check_function(function: Function) -> None:
    if not _NAME.fullmatch(function.name):
        raise FunctionCallError(
            f"Function name was {function.name} but must be a-z, A-Z, 0-9, or contain underscores and "
            "dashes, with a maximum length of 64."
        )
    try:
        Draft7Validator.check_schema(function.parameters)
    except InvalidSchemaError as error:
        raise ToolSchemaError(error.message) from error
    except RecursionError as error:
        raise ToolSchemaError("it is nested too deeply") from error


def _forced(tools: tuple[Tool, ...], choice: ToolChoice | ToolChoiceEnum) -> tuple[Tool, ...]:
    match choice:
        case ToolChoiceEnum.auto | ToolChoiceEnum.none:
            return ()
        case ToolChoiceEnum():
            forced = tools
        case ToolChoice(function=chosen):
            forced = tuple(tool for tool in tools if tool.function.name == chosen.name)
    if not forced:
        wanted = choice if isinstance(choice, ToolChoiceEnum) else choice.function.name
        raise InvalidRequestError(f"tool_choice is {wanted}, but there is no such tool in tools")
    return forced
