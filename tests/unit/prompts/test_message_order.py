import pytest

from tramontane.errors import AssistantMessageError, MessageOrderError
from tramontane.prompts.message_order import check_messages
from tramontane.schemas.messages import AssistantMessage, SystemMessage, ToolMessage, UserMessage
from tramontane.schemas.tools import FunctionCall, ToolCall

SYSTEM = SystemMessage(content="Be brief.")
USER = UserMessage(content="Hi")
ASSISTANT = AssistantMessage(content="Hello")
PREFIX = AssistantMessage(content="Hel", prefix=True)


def calling(*ids):
    function = FunctionCall(name="f", arguments="{}")
    return AssistantMessage(tool_calls=[ToolCall(id=call_id, function=function) for call_id in ids])


def result(tool_call_id=None):
    return ToolMessage(content="42", tool_call_id=tool_call_id)


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [SYSTEM],
        [SYSTEM, SYSTEM, USER, USER],
        [USER, SYSTEM, USER],
        [SYSTEM, ASSISTANT, USER],
        [USER, ASSISTANT, ASSISTANT, USER],
        [USER, PREFIX],
        [USER, ASSISTANT, PREFIX],
        [USER, SYSTEM],
        [ASSISTANT, USER],
        [USER, calling("a", "b"), result("b"), result("a")],
        [USER, calling("call_of_any_shape"), result("call_of_any_shape"), ASSISTANT, USER],
        [USER, calling("null"), result(), USER],
        [USER, calling("null", "null"), result("null"), result("null")],
        [calling("a"), result("a")],
    ],
)
def test_conversations_that_the_hosted_api_answers_are_accepted(messages):
    check_messages(messages)


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], "Conversation must have at least one message"),
        ([PREFIX], "Conversation must start with a user message or system message"),
        ([result()], "Conversation must start with a user message or system message"),
        (
            [USER, ASSISTANT],
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
        ),
        ([USER, result()], "Unexpected role 'tool' after role 'user'"),
        ([SYSTEM, result()], "Unexpected role 'tool' after role 'system'"),
        ([USER, ASSISTANT, SYSTEM, USER], "Unexpected role 'system' after role 'assistant'"),
        (
            [USER, calling("a"), result("a"), SYSTEM, USER],
            "Unexpected role 'system' after role 'tool'",
        ),
        ([USER, calling("a"), USER], "Not the same number of function calls and responses"),
        ([USER, calling("a", "b"), result("a")], "Not the same number of function calls and responses"),
        ([USER, ASSISTANT, result()], "Not the same number of function calls and responses"),
        ([USER, calling("a"), result("b")], "Unexpected tool call id b in tool results"),
        (
            [USER, calling("a", "b"), result("a"), result("a")],
            "Duplicate tool call id a in tool results",
        ),
    ],
)
def test_conversations_out_of_order_are_refused_with_the_hosted_text(messages, text):
    with pytest.raises(MessageOrderError) as error:
        check_messages(messages)
    assert error.value.message == text


@pytest.mark.parametrize("content", [None, "", []])
def test_an_assistant_message_must_say_or_call_something(content):
    with pytest.raises(AssistantMessageError, match="must have either content or tool_calls, but not none"):
        check_messages([USER, AssistantMessage(content=content), USER])


def test_prefix_must_be_on_the_last_message():
    with pytest.raises(
        AssistantMessageError, match="Assistant message with prefix True must be last message"
    ):
        check_messages([USER, PREFIX, USER])
