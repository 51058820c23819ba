"""Tools for models whose chat template knows none: the wording of Hermes and Qwen, in plain turns.

Definitions go into the system turn, calls into the assistant's, and results into the user's, since a template
without tools may know no other roles.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from tramontane.core.output_format import TaggedCalls
from tramontane.prompts.conversation import BETWEEN_MESSAGES, PastCall, Turn

_TAGS: Final = TaggedCalls()
_INSTRUCTIONS: Final = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within {start}{end} XML tags:
{start}
{{"name": <function-name>, "arguments": <args-json-object>}}
{end}"""


def turns_of_text(turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """`turns` with nothing but text in them, roles alternating as before, and `tools` told to the model."""
    told = [_told(turn) for turn in turns]
    merged = [_merged(list(neighbours)) for _, neighbours in groupby(told, key=lambda turn: turn.role)]
    return list(_with_tools(merged, tools)) if tools else merged


def text_of_call(name: str, arguments: Mapping[str, Any] | str) -> str:
    """A call as the instructions ask for it."""
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    quoted_name = json.dumps(name, ensure_ascii=False)
    return f'{_TAGS.start}\n{{"name": {quoted_name}, "arguments": {arguments}}}\n{_TAGS.end}'


def _told(turn: Turn) -> Turn:
    if turn.role == "tool":
        return Turn("user", f"<tool_response>\n{turn.content}\n</tool_response>")
    calls = map(_text_of_past_call, turn.calls)
    return Turn(turn.role, "\n".join(filter(None, (turn.content, *calls))), turn.thought)


def _text_of_past_call(call: PastCall) -> str:
    return text_of_call(call.name, call.arguments)


def _merged(neighbours: Sequence[Turn]) -> Turn:
    if len(neighbours) == 1:
        return neighbours[0]
    text = BETWEEN_MESSAGES.join(turn.content for turn in neighbours if turn.content)
    return replace(neighbours[0], content=text)


def _with_tools(turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    definitions = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    instructions = _INSTRUCTIONS.format(tools=definitions, start=_TAGS.start, end=_TAGS.end)
    match turns:
        case [Turn(role="system") as system, *rest]:
            text = BETWEEN_MESSAGES.join(filter(None, (system.content, instructions)))
            yield replace(system, content=text)
            yield from rest
        case _:
            yield Turn("system", instructions)
            yield from turns
