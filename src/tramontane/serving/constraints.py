"""What the engine is held to: the grammar of an answer."""

from collections.abc import Set
from dataclasses import dataclass

from tramontane.core.output_format import OutputFormat, Section, TaggedCalls
from tramontane.engines.protocol import Ability
from tramontane.errors import FeatureNotEnabledError, InvalidRequestError
from tramontane.prompts.call_grammar import calls, text_and_calls
from tramontane.prompts.grammar.builder import GrammarBuilder, Ref
from tramontane.serving.response_format import AnswerFormat
from tramontane.serving.tools import ToolUse


@dataclass(frozen=True, slots=True)
class Constraint:
    """A grammar, and which part of an answer it makes; neither, if the model may say what it likes."""

    grammar: str | None = None
    section: Section | None = None


def constraint_of(
    tools: ToolUse,
    output_format: OutputFormat,
    abilities: Set[Ability],
    answer_format: AnswerFormat | None = None,
) -> Constraint:
    """What the answer must be. An engine with a script is trusted to have it written so.

    A call that is forced comes before a form that is asked of the answer, as hosted: the answer to its result
    has that form.

    Raises:
        SchemaError: the form of the answer, or the parameters of a function that must be called, cannot be
            enforced.
        FeatureNotEnabledError: the model has no way to call, or the engine none to obey a grammar.
    """
    builder = GrammarBuilder()
    section: Section | None
    if tools.forced:
        field, section = "tool_choice", Section.CALLS
        if output_format.calls is None:
            raise FeatureNotEnabledError(field)
        root = calls(builder, tools.forced, output_format.calls, tools.max_calls)
    elif answer_format:
        field, section = "response_format", Section.TEXT
        root = _answer_or_calls(builder, answer_format, tools, output_format)
    elif isinstance(output_format.calls, TaggedCalls) and any(tool.function.strict for tool in tools.shown):
        field, section = "strict", None  # whatever comes before a call is free
        root = text_and_calls(builder, tools.shown, output_format.calls, tools.max_calls)
    else:
        return Constraint()
    grammar = builder.build(root)
    if Ability.SCRIPTED in abilities:
        return Constraint(section=section)
    if Ability.GRAMMAR not in abilities:
        raise FeatureNotEnabledError(field)
    return Constraint(grammar, section)


def _answer_or_calls(
    builder: GrammarBuilder, answer_format: AnswerFormat, tools: ToolUse, output_format: OutputFormat
) -> Ref:
    """The answer in its form, or calls instead of it where the model may call."""
    answer = answer_format.grammar(builder)
    match output_format.calls:
        case _ if not tools.shown:
            return answer
        case TaggedCalls() as form:
            return builder.choice(answer, calls(builder, tools.shown, form, tools.max_calls))
    raise InvalidRequestError(
        "response_format cannot be combined with tools that this model may call or not: "
        "set tool_choice to none, any or one function"
    )
