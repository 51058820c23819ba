"""Which message may follow which: the rules of mistral-common's validator, with its texts."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from tramontane.errors import AssistantMessageError, MessageOrderError
from tramontane.schemas.messages import AssistantMessage, Message, ToolMessage

MAY_FOLLOW: Final[Mapping[str, frozenset[str]]] = {
    "system": frozenset({"user", "assistant", "system"}),
    "user": frozenset({"assistant", "system", "user"}),
    "assistant": frozenset({"assistant", "user", "tool"}),
    "tool": frozenset({"assistant", "tool", "user"}),
}
NO_ID: Final = frozenset({None, "", "null"})
"""What clients send where there is no id of a tool call; "null" is the hosted default."""


def check_messages(messages: Sequence[Message]) -> None:
    """Accept a conversation that a model can answer.

    Raises:
        MessageOrderError: it is empty, ends or goes on as it must not, or calls and results do not match.
        AssistantMessageError: an assistant message is empty, or `prefix` is not on the last message.
    """
    _check_ends(messages)
    _check_order(messages)
    _check_tool_results(messages)
    _check_assistant_messages(messages)


def _check_ends(messages: Sequence[Message]) -> None:
    if not messages:
        raise MessageOrderError("Conversation must have at least one message")
    if len(messages) == 1 and messages[0].role not in {"user", "system"}:
        raise MessageOrderError("Conversation must start with a user message or system message")
    match messages[-1]:
        case AssistantMessage(prefix=False):
            raise MessageOrderError(
                "Expected last role User or Tool (or Assistant with prefix True) for serving "
                "but got assistant"
            )


def _check_order(messages: Sequence[Message]) -> None:
    for before, after in pairwise(messages):
        if after.role not in MAY_FOLLOW[before.role]:
            raise MessageOrderError(f"Unexpected role '{after.role}' after role '{before.role}'")


def _check_assistant_messages(messages: Sequence[Message]) -> None:
    for position, message in enumerate(messages, start=1):
        if not isinstance(message, AssistantMessage):
            continue
        if not message.content and not message.tool_calls:
            raise AssistantMessageError(
                "Assistant message must have either content or tool_calls, but not none."
            )
        if message.prefix and position < len(messages):
            raise AssistantMessageError("Assistant message with prefix True must be last message")


def _check_tool_results(messages: Sequence[Message]) -> None:
    """Each call needs one result before the assistant speaks again; where ids are given they must agree."""
    unanswered, called, answered = 0, set[str](), set[str]()
    for message in messages:
        match message:
            case AssistantMessage():
                _check_all_answered(unanswered)
                calls = message.tool_calls or ()
                unanswered, called, answered = len(calls), {call.id for call in calls}, set()
            case ToolMessage():
                _check_result(message, called, answered)
                unanswered -= 1
    _check_all_answered(unanswered)


def _check_result(message: ToolMessage, called: set[str], answered: set[str]) -> None:
    tool_call_id = message.tool_call_id
    if tool_call_id is None or tool_call_id in NO_ID:
        return
    if tool_call_id in answered:
        raise MessageOrderError(f"Duplicate tool call id {tool_call_id} in tool results")
    if tool_call_id not in called:
        raise MessageOrderError(f"Unexpected tool call id {tool_call_id} in tool results")
    answered.add(tool_call_id)


def _check_all_answered(unanswered: int) -> None:
    if unanswered:
        raise MessageOrderError("Not the same number of function calls and responses")
