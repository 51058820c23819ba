"""How a model marks calls of tools and thoughts in its answers: plain data that prompts and parsing share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

CALLS_TEXT: Final = "[TOOL_CALLS]"
CALL_ID_TEXT: Final = "[CALL_ID]"
ARGUMENTS_TEXT: Final = "[ARGS]"
"""How Mistral's marks of calls are written where they are text, as in a grammar."""


class Section(Enum):
    """What a part of an answer is."""

    TEXT = auto()
    THOUGHT = auto()
    CALLS = auto()


@dataclass(frozen=True, slots=True)
class TaggedCalls:
    """Calls in text: between two tags a JSON object with `name` and `arguments`, or a list of such objects.

    Hermes, Qwen, SmolLM2 and many more write them.
    """

    start: str = "<tool_call>"
    end: str = "</tool_call>"
    tokens: Mapping[str, int] = field(default_factory=dict)
    """Which of the two are control tokens; others are text."""


@dataclass(frozen=True, slots=True)
class ListedCalls:
    """Mistral's tokenizers v2 to v7: the token `start`, then one JSON list of all calls.

    An object of the list has `name` and `arguments`, and may have an `id`.
    """

    start: int
    after_blank: bool = False
    """A blank may come before the list: SentencePiece puts it there."""


@dataclass(frozen=True, slots=True)
class NamedCalls:
    """Mistral's tokenizers from v11 on: for each call the token `start` and the function's name.

    The JSON of its arguments comes behind the token `arguments`; before that v11 has the token `call_id` and
    an id.
    """

    start: int
    arguments: int
    call_id: int | None = None


ToolCallFormat = TaggedCalls | ListedCalls | NamedCalls


@dataclass(frozen=True, slots=True)
class TaggedThoughts:
    """Thoughts in text, before everything else: between two tags."""

    start: str = "<think>"
    end: str = "</think>"
    tokens: Mapping[str, int] = field(default_factory=dict)
    """Which of the two are control tokens; others are text."""


@dataclass(frozen=True, slots=True)
class TokenThoughts:
    """Mistral's thoughts: between two control tokens, anywhere in the answer's text."""

    start: int
    end: int


ThoughtFormat = TaggedThoughts | TokenThoughts


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The marks of one model; None for what it has no marks for."""

    calls: ToolCallFormat | None = None
    thoughts: ThoughtFormat | None = None

    @property
    def tag_tokens(self) -> frozenset[int]:
        """The control tokens that are tags: they are read as the text that they are written as."""
        forms = (self.calls, self.thoughts)
        tagged = (form for form in forms if isinstance(form, TaggedCalls | TaggedThoughts))
        return frozenset(token for form in tagged for token in form.tokens.values())


PLAIN_TEXT: Final = OutputFormat()
