from uuid import UUID

import pytest

from tramontane.errors import FeatureNotEnabledError
from tramontane.prompts.conversation import Conversation, PastCall, Turn, conversation_from_messages
from tramontane.schemas.content import (
    AudioChunk,
    DocumentURLChunk,
    FileChunk,
    ImageURLChunk,
    ReferenceChunk,
    ResourceLinkChunk,
    TextChunk,
    ThinkChunk,
)
from tramontane.schemas.messages import AssistantMessage, SystemMessage, ToolMessage, UserMessage
from tramontane.schemas.tools import FunctionCall, ToolCall


def turns(*messages):
    return [(turn.role, turn.content) for turn in conversation_from_messages(messages).turns]


def call(name, arguments, call_id="null"):
    return ToolCall(id=call_id, function=FunctionCall(name=name, arguments=arguments))


def test_roles_and_texts_stay_in_their_order():
    assert turns(
        SystemMessage(content="s"),
        UserMessage(content="u"),
        AssistantMessage(content="a"),
        UserMessage(content="v"),
        SystemMessage(content="t"),
    ) == [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "v"), ("system", "t")]


def test_neighbours_of_one_role_are_one_turn_and_empty_ones_add_nothing():
    assert turns(
        SystemMessage(content="a"),
        SystemMessage(content="b"),
        UserMessage(content="c"),
        UserMessage(content=None),
        UserMessage(content=""),
        UserMessage(content="d"),
        AssistantMessage(content="e"),
        AssistantMessage(content="f"),
        UserMessage(content=None),
    ) == [("system", "a\n\nb"), ("user", "c\n\nd"), ("assistant", "e\n\nf"), ("user", "")]


def test_text_chunks_of_a_message_are_joined():
    content = [TextChunk(text="Hello, "), TextChunk(text="world")]
    assert turns(UserMessage(content=content)) == [("user", "Hello, world")]


def test_calls_and_results_keep_what_belongs_to_them():
    conversation = conversation_from_messages(
        [
            UserMessage(content="Weather?"),
            AssistantMessage(
                content="I look.", tool_calls=[call("weather", {"city": "Orléans"}, "abcdefghi")]
            ),
            ToolMessage(content="sunny", tool_call_id="abcdefghi", name="weather"),
        ]
    )
    assert conversation.turns[1:] == (
        Turn("assistant", "I look.", calls=(PastCall("abcdefghi", "weather", {"city": "Orléans"}),)),
        Turn("tool", "sunny", call_id="abcdefghi", name="weather"),
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a":1}', {"a": 1}),
        ("", {}),
        (" ", {}),
        ("[1]", "[1]"),
        ("{", "{"),
        ('{"a":' * 5000, '{"a":' * 5000),
    ],
)
def test_arguments_in_text_are_the_object_that_they_spell_if_they_do(arguments, expected):
    messages = [
        UserMessage(content="u"),
        AssistantMessage(tool_calls=[call("f", arguments)]),
        ToolMessage(content="x"),
    ]
    assert conversation_from_messages(messages).turns[1].calls[0].arguments == expected


def test_the_answer_must_begin_with_the_last_message_if_that_is_a_prefix():
    messages = [UserMessage(content="u"), AssistantMessage(content="Once upon", prefix=True)]
    assert conversation_from_messages(messages) == Conversation((Turn("user", "u"),), prefix="Once upon")


def test_earlier_thoughts_are_told_from_text_and_sources_are_left_out():
    content = [
        ThinkChunk(thinking=[TextChunk(text="hm")]),
        TextChunk(text="Paris"),
        ReferenceChunk(reference_ids=[1]),
    ]
    messages = [UserMessage(content="u"), AssistantMessage(content=content), UserMessage(content="v")]
    assert conversation_from_messages(messages).turns[1] == Turn("assistant", "Paris", thought="hm")


@pytest.mark.parametrize("closed", [True, False])
def test_a_prefix_may_end_in_a_thought(closed):
    content = [ThinkChunk(thinking=[TextChunk(text="hm")], closed=closed)]
    messages = [UserMessage(content="u"), AssistantMessage(content=content, prefix=True)]
    expected = Conversation((Turn("user", "u"),), thought="hm", in_thought=not closed)
    assert conversation_from_messages(messages) == expected


@pytest.mark.parametrize(
    ("chunk", "text"),
    [
        (ImageURLChunk(image_url="https://example.org/a.png"), "Image input is not enabled for this model"),
        (AudioChunk(input_audio="UklGRg=="), "Audio input is not enabled for this model"),
        (
            DocumentURLChunk(document_url="https://example.org/a"),
            "Document input is not enabled for this model",
        ),
        (FileChunk(file_id=UUID(int=0)), "File input is not enabled for this model"),
        (ResourceLinkChunk(uri="x:y"), "Resource input is not enabled for this model"),
        (ThinkChunk(thinking=[]), "Thinking input is not enabled for this model"),
        (ReferenceChunk(reference_ids=[]), "Reference input is not enabled for this model"),
    ],
)
def test_content_that_is_not_text_is_refused_with_the_hosted_text(chunk, text):
    with pytest.raises(FeatureNotEnabledError) as error:
        turns(UserMessage(content=[TextChunk(text="Look:"), chunk]))
    assert error.value.message == text
    assert error.value.status == 400


def test_the_size_is_that_of_everything_that_users_wrote():
    messages = [UserMessage(content="abc"), AssistantMessage(content="de", prefix=True)]
    assert conversation_from_messages(messages).size == 5
