"""The grammar of answers that call tools, in the format of the model."""

import json
from collections.abc import Sequence
from typing import Final

from tramontane.core.output_format import (
    ARGUMENTS_TEXT,
    CALL_ID_TEXT,
    CALLS_TEXT,
    ListedCalls,
    NamedCalls,
    TaggedCalls,
    ToolCallFormat,
)
from tramontane.errors import ToolSchemaError
from tramontane.prompts.grammar.builder import GrammarBuilder, Ref
from tramontane.schemas.tools import Function, Tool

_SOME_ID: Final = "000000000"
"""Ids are made when calls are read; what the model is made to write in their place is only a filler."""


def calls(
    builder: GrammarBuilder, tools: Sequence[Tool], form: ToolCallFormat, max_calls: int | None = None
) -> Ref:
    """One call or more, each with arguments that are valid for its function.

    Mistral's formats go on behind the mark of the first call; text tags are part of the grammar.

    Raises:
        ToolSchemaError: the parameters of a function cannot be enforced; says what in them.
    """
    each = [_call(builder, tool.function, form, _arguments(builder, tool.function)) for tool in tools]
    match form:
        case TaggedCalls(start=start):
            return builder.sequence(builder.literal(start), _tagged(builder, each, form, max_calls))
        case ListedCalls():
            listed = builder.repeat(builder.choice(*each), 1, ", ", max_calls)
            return builder.sequence(builder.literal("["), listed, builder.literal("]"))
        case NamedCalls():
            return builder.repeat(builder.choice(*each), 1, CALLS_TEXT, max_calls)


def text_and_calls(
    builder: GrammarBuilder, tools: Sequence[Tool], form: TaggedCalls, max_calls: int | None = None
) -> Ref:
    """Any text, and calls if the model likes, those of strict functions with valid arguments.

    Raises:
        ToolSchemaError: the parameters of a strict function cannot be enforced; says what in them.
    """
    each = [
        _call(
            builder,
            tool.function,
            form,
            _arguments(builder, tool.function) if tool.function.strict else builder.any_object(),
        )
        for tool in tools
    ]
    return builder.text_until(form.start, _tagged(builder, each, form, max_calls))


def _tagged(builder: GrammarBuilder, each: Sequence[Ref], form: TaggedCalls, max_calls: int | None) -> Ref:
    """Calls behind the tag of the first one."""
    return builder.repeat(builder.choice(*each), 1, f"\n{form.start}", max_calls)


def _arguments(builder: GrammarBuilder, function: Function) -> Ref:
    """Always an object, also of a function whose schema does not say so."""
    return builder.schema({"type": "object"} | function.parameters, ToolSchemaError)


def _call(builder: GrammarBuilder, function: Function, form: ToolCallFormat, arguments: Ref) -> Ref:
    """One call; between tags it begins behind the first of them."""
    named = f'{{"name": {json.dumps(function.name)}, "arguments": '
    match form:
        case TaggedCalls(end=end):
            before, behind = f"\n{named}", f"}}\n{end}"
        case ListedCalls():
            before, behind = named, "}"
        case NamedCalls(call_id=call_id):
            given = "" if call_id is None else CALL_ID_TEXT + _SOME_ID
            before, behind = function.name + given + ARGUMENTS_TEXT, ""
    return builder.sequence(builder.literal(before), arguments, builder.literal(behind))
