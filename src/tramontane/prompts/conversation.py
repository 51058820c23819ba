"""Wire messages → turns, checked and normalised as the hosted API does it.

Rules and texts of the errors are mistral-common's (its validator for serving and its normalizer).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from tramontane.prompts.inputs import input_error
from tramontane.prompts.message_order import check_messages
from tramontane.prompts.tool_ids import ToolIds
from tramontane.schemas.content import ContentChunk, ReferenceChunk, TextChunk, ThinkChunk
from tramontane.schemas.messages import AssistantMessage, Message, ToolMessage
from tramontane.schemas.tools import ToolCall

BETWEEN_MESSAGES: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call of an earlier answer."""

    id: str
    name: str
    arguments: Mapping[str, Any] | str
    """An object, or the text that a client sent and that is none."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one role says until another one speaks; tool results stay apart."""

    role: str
    content: str
    thought: str = ""
    """What was thought before `content`."""
    calls: tuple[PastCall, ...] = ()
    """What was called after it."""
    call_id: str = ""
    """Of a tool result: the call that it answers."""
    name: str = ""
    """Of a tool result: the function, if the client said so."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns to answer, and what the answer must begin with."""

    turns: tuple[Turn, ...]
    prefix: str = ""
    thought: str = ""
    """Comes before the prefix."""
    in_thought: bool = False
    """The model goes on with the thought."""

    @property
    def size(self) -> int:
        """Characters that the model reads at the least."""
        return sum(len(turn.content) for turn in self.turns) + len(self.prefix)


def conversation_from_messages(messages: Sequence[Message], *, strict: bool = False) -> Conversation:
    """The conversation that `messages` tell. Neighbours of one role are one turn, tool results excepted.

    Raises:
        MessageOrderError: roles do not follow one another as they must, or calls have no results.
        AssistantMessageError: an assistant message is empty, or `prefix` is not on the last message.
        FunctionCallError: an id of a call is not of the hosted form, if `strict`.
        FeatureNotEnabledError: content that is not text.
    """
    check_messages(messages)
    turns = tuple(_turns(messages, ToolIds(strict=strict)))
    match messages[-1]:
        case AssistantMessage(prefix=True, content=content):
            last = turns[-1]
            return Conversation(turns[:-1], last.content, last.thought, _ends_in_thought(content))
    return Conversation(turns)


def _turns(messages: Sequence[Message], ids: ToolIds) -> Iterator[Turn]:
    for role, neighbours in groupby(messages, key=lambda message: message.role):
        turns = [_turn(message, ids) for message in neighbours]
        if role == "tool":
            yield from turns
        else:
            yield Turn(
                role,
                BETWEEN_MESSAGES.join(turn.content for turn in turns if turn.content),
                BETWEEN_MESSAGES.join(turn.thought for turn in turns if turn.thought),
                tuple(call for turn in turns for call in turn.calls),
            )


def _turn(message: Message, ids: ToolIds) -> Turn:
    match message:
        case AssistantMessage(content=content):
            ids.start_turn()
            calls = tuple(_past_call(call, ids) for call in message.tool_calls or ())
            return Turn(message.role, _answer(content), _thought(content), calls)
        case ToolMessage(content=content, tool_call_id=call_id, name=name):
            return Turn(message.role, _content(content), call_id=ids.answered(call_id), name=name or "")
        case _:
            return Turn(message.role, _content(message.content))


def _past_call(call: ToolCall, ids: ToolIds) -> PastCall:
    arguments = call.function.arguments
    if isinstance(arguments, str):
        arguments = _object(arguments)
    return PastCall(ids.called(call.id), call.function.name, arguments)


def _object(text: str) -> dict[str, Any] | str:
    """The JSON object that `text` is, or the text."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def _answer(content: str | Sequence[ContentChunk] | None) -> str:
    """The text of an earlier answer, without what was thought for it, and without its sources."""
    if content is None or isinstance(content, str):
        return content or ""
    return _content([chunk for chunk in content if not isinstance(chunk, ThinkChunk | ReferenceChunk)])


def _thought(content: str | Sequence[ContentChunk] | None) -> str:
    thoughts = [chunk for chunk in content or () if isinstance(chunk, ThinkChunk)]
    return "".join(part.text for chunk in thoughts for part in chunk.thinking if isinstance(part, TextChunk))


def _ends_in_thought(content: str | Sequence[ContentChunk] | None) -> bool:
    match content:
        case [*_, ThinkChunk(closed=False)]:
            return True
    return False


def _content(content: str | Sequence[ContentChunk] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(_chunk_texts(content))


def _chunk_texts(chunks: Iterable[ContentChunk]) -> Iterator[str]:
    for chunk in chunks:
        if not isinstance(chunk, TextChunk):
            raise input_error(chunk)
        yield chunk.text
