"""How Mistral's models are told to think before there were settings for it: by a system message."""

from collections.abc import Sequence
from typing import Final

from tramontane.schemas.content import TextChunk, ThinkChunk
from tramontane.schemas.messages import Message, SystemMessage

THINKING_PROMPT: Final = SystemMessage(
    content=[
        TextChunk(
            text="# HOW YOU SHOULD THINK AND ANSWER\n\n"
            "First draft your thinking process (inner monologue) until you arrive at a response. Format your "
            "response using Markdown, and use LaTeX for any mathematical equations. Write both your thoughts "
            "and the response in the same language as the input.\n\n"
            "Your thinking process must follow the template below:"
        ),
        ThinkChunk(
            thinking=[
                TextChunk(
                    text="Your thoughts or/and draft, like working through an exercise on scratch paper. Be "
                    "as casual and as long as you want until you are confident to generate the response to "
                    "the user."
                )
            ]
        ),
        TextChunk(text="Here, provide a self-contained response."),
    ]
)
"""The system prompt that comes with Mistral's models that always think, word for word."""


def with_thinking_prompt(messages: Sequence[Message]) -> Sequence[Message]:
    """`messages` behind the prompt; as they are if they show by themselves how to think."""
    if any(isinstance(message, SystemMessage) and _shows_a_thought(message) for message in messages):
        return messages
    return [THINKING_PROMPT, *messages]


def _shows_a_thought(message: SystemMessage) -> bool:
    return not isinstance(message.content, str) and any(
        isinstance(chunk, ThinkChunk) for chunk in message.content
    )
