"""The grammar of answers that call tools, in the format of the model."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from tramontane.core.output_format import ListedCalls, NamedCalls, TaggedCalls, ToolCallFormat
from tramontane.errors import ToolSchemaError
from tramontane.prompts.grammar.builder import GrammarBuilder, Ref
from tramontane.prompts.grammar.expressions import characters, optional, repeat
from tramontane.schemas.tools import Function, Tool

_ID: Final = repeat(characters(("a", "z"), ("A", "Z"), ("0", "9")), 9, 9)
"""Models write ids where they have learnt to; those of the answer are made when it is read."""
_BLANK: Final = optional(characters(" "))

Arguments = Callable[[GrammarBuilder, Function], Ref]


def calls(
    builder: GrammarBuilder, tools: Sequence[Tool], form: ToolCallFormat, max_calls: int | None = None
) -> Ref:
    """One call or more, each with arguments that are valid for its function.

    Raises:
        ToolSchemaError: the parameters of a function cannot be enforced; says what in them.
    """
    mark, behind = _marked(builder, [_call(builder, tool, form, _valid) for tool in tools], form, max_calls)
    return builder.sequence(builder.literal(mark), behind)


def text_and_calls(
    builder: GrammarBuilder,
    tools: Sequence[Tool],
    form: ToolCallFormat,
    max_calls: int | None = None,
    tokens: Iterable[int] = (),
) -> Ref:
    """Any text, and calls if the model likes, those of strict functions with valid arguments.

    `tokens` are control tokens that may be in the text.

    Raises:
        ToolSchemaError: the parameters of a strict function cannot be enforced; says what in them.
    """
    each = [_call(builder, tool, form, _valid if tool.function.strict else _any_object) for tool in tools]
    mark, behind = _marked(builder, each, form, max_calls)
    return builder.text_until(mark, behind, optional=True, tokens=tokens)


def _marked(
    builder: GrammarBuilder, each: Sequence[Ref], form: ToolCallFormat, max_calls: int | None
) -> tuple[str, Ref]:
    """The mark of the first call, and what comes behind it: this call and others."""
    one = builder.choice(*each)
    match form:
        case TaggedCalls():
            mark = builder.tag(form.start, form.tokens)
            return mark, builder.repeat(one, 1, f"\n{mark}", max_calls)
        case ListedCalls():
            blank = _BLANK if form.after_blank else builder.literal("")
            listed = builder.repeat(one, 1, ", ", max_calls)
            return builder.token(form.start), builder.sequence(
                blank, builder.literal("["), listed, builder.literal("]")
            )
        case NamedCalls():
            mark = builder.token(form.start)
            return mark, builder.repeat(one, 1, mark, max_calls)


def _call(builder: GrammarBuilder, tool: Tool, form: ToolCallFormat, arguments: Arguments) -> Ref:
    """One call, behind its mark."""
    name = tool.function.name
    named = builder.literal(f'{{"name": {json.dumps(name)}, "arguments": ')
    value = arguments(builder, tool.function)
    match form:
        case TaggedCalls():
            end = builder.literal("}\n" + builder.tag(form.end, form.tokens))
            return builder.sequence(builder.literal("\n"), named, value, end)
        case ListedCalls():
            with_id = builder.sequence(builder.literal(', "id": "'), _ID, builder.literal('"'))
            return builder.sequence(named, value, optional(with_id), builder.literal("}"))
        case NamedCalls(arguments=mark, call_id=id_mark):
            with_id = builder.literal("")
            if id_mark is not None:
                with_id = builder.sequence(builder.literal(builder.token(id_mark)), _ID)
            return builder.sequence(
                builder.literal(name), with_id, builder.literal(builder.token(mark)), value
            )


def _valid(builder: GrammarBuilder, function: Function) -> Ref:
    """Always an object, also of a function whose schema does not say so."""
    return builder.schema({"type": "object"} | function.parameters, ToolSchemaError)


def _any_object(builder: GrammarBuilder, _: Function) -> Ref:
    return builder.any_object()
