"""What a generation says while it runs: the one stream that both kinds of answer are made from."""

from dataclasses import dataclass
from enum import StrEnum

from tramontane.core.usage import Usage


class FinishReason(StrEnum):
    """Why an answer ended, in the words of the wire."""

    STOP = "stop"
    LENGTH = "length"
    MODEL_LENGTH = "model_length"
    ERROR = "error"
    TOOL_CALLS = "tool_calls"


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """How probable the model found a token that it chose."""

    token_id: int
    token_bytes: bytes
    """What it adds to a text; maybe half a character."""
    logprob: float
    """The natural logarithm; never above 0."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer `index`; never empty, never half a character.

    `logprobs`, if asked for, are those of the tokens since the last event that had some.
    """

    index: int
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """More of what the model thinks before the answer `index`; never empty, never half a character."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a function, complete."""

    id: str
    name: str
    arguments: str
    """A JSON object as text, with the blanks of Python's `json.dumps`; "" if it was cut by the length."""


@dataclass(frozen=True, slots=True)
class ChoiceEnd:
    """The answer `index` is complete, `text` being its last piece (often empty, and always with calls).

    `usage` is set on the last event of the generation and on no other.
    """

    index: int
    text: str
    finish_reason: FinishReason
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


Event = TextDelta | ThinkingDelta | ChoiceEnd
