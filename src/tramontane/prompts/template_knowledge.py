"""What a chat template knows of tools and thoughts, read from its source."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, meta

from tramontane.core.output_format import Section, TaggedCalls, TaggedThoughts
from tramontane.prompts.conversation import Conversation, Turn
from tramontane.prompts.tools_as_text import turns_of_text
from tramontane.schemas.chat import ReasoningEffort
from tramontane.schemas.tools import Tool

Json = Mapping[str, Any]

_CALLS: Final = TaggedCalls()
_THOUGHTS: Final = TaggedThoughts()
_OTHER_CALLS: Final = ("<function=", "<arg_key>")
"""In templates of models that write something else than JSON between the tags."""


@dataclass(frozen=True, slots=True)
class TemplateKnowledge:
    """What one template can be told."""

    tools: bool
    """Definitions, calls and results as they are; otherwise they are told in text."""
    thoughts: TaggedThoughts | None
    reasoning_efforts: tuple[ReasoningEffort, ...]
    variables: frozenset[str]
    """Names that the template asks for."""

    def messages(self, turns: Sequence[Turn], tools: Sequence[Tool]) -> tuple[list[Json], list[Json]]:
        """The variables `messages` and `tools`."""
        definitions = [_definition(tool) for tool in tools]
        if self.tools:
            return [dict(_message(turn)) for turn in turns], definitions
        return [dict(_message(turn)) for turn in turns_of_text(turns, definitions)], []

    def thinking(self, effort: ReasoningEffort | None, *, thinks: bool) -> dict[str, object]:
        """The variables that make a model think, or not."""
        variables: dict[str, object] = {"enable_thinking": thinks}
        if effort:
            variables["reasoning_effort"] = effort.value
        return {name: value for name, value in variables.items() if name in self.variables}

    def beginning(self, rendered: str, start: Conversation, *, may_think: bool) -> tuple[str, Section]:
        """What the answer begins with, behind all that the template has `rendered`, and what is to go on.

        A thought is closed, whoever has opened it, if text is to follow. One that only the template has
        opened is closed, too, if the model may not think.
        """
        tags = self.thoughts
        if tags is None:
            return start.prefix, Section.TEXT
        is_open = rendered.rstrip().endswith(tags.start)
        thought = start.thought
        if start.in_thought or thought:
            thought = thought if is_open else f"{tags.start}\n{thought}"
            is_open = True
        if is_open and (start.in_thought or (may_think and not (thought or start.prefix))):
            return thought, Section.THOUGHT
        return thought + (f"\n{tags.end}\n\n" if is_open else "") + start.prefix, Section.TEXT


def knowledge_of(template: str, environment: Environment) -> TemplateKnowledge:
    """What the template of this source knows.

    Raises:
        TemplateError: it is not valid Jinja.
    """
    variables = frozenset(meta.find_undeclared_variables(environment.parse(template)))
    writes_json = _CALLS.start in template and not any(mark in template for mark in _OTHER_CALLS)
    thoughts = _THOUGHTS if _THOUGHTS.end in template or _THOUGHTS.start in template else None
    return TemplateKnowledge(
        tools="tools" in variables and writes_json,
        thoughts=thoughts,
        reasoning_efforts=_efforts(variables) if thoughts else (),
        variables=variables,
    )


def _efforts(variables: frozenset[str]) -> tuple[ReasoningEffort, ...]:
    if "reasoning_effort" in variables:
        return (ReasoningEffort.low, ReasoningEffort.medium, ReasoningEffort.high)
    if "enable_thinking" in variables:
        return (ReasoningEffort.none, ReasoningEffort.high)
    return (ReasoningEffort.high,)


def _message(turn: Turn) -> Iterator[tuple[str, object]]:
    """The fields that `transformers` gives a message, and of them only what is there."""
    yield "role", turn.role
    yield "content", turn.content
    if turn.thought:
        yield "reasoning_content", turn.thought
    if turn.calls:
        yield "tool_calls", [_call(call.id, call.name, call.arguments) for call in turn.calls]
    if turn.call_id:
        yield "tool_call_id", turn.call_id
    if turn.name:
        yield "name", turn.name


def _call(call_id: str, name: str, arguments: Json | str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _definition(tool: Tool) -> Json:
    function = tool.function
    return {
        "type": "function",
        "function": {
            "name": function.name,
            "description": function.description,
            "parameters": function.parameters,
        },
    }
