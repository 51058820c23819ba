"""What all ways of making a prompt of a conversation have in common."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from tramontane.core.output_format import OutputFormat, Section
from tramontane.core.prompt import Modality, TokensPrompt
from tramontane.schemas.chat import MistralPromptMode, ReasoningEffort, ResponseFormat
from tramontane.schemas.content import TextChunk
from tramontane.schemas.messages import Message
from tramontane.schemas.tools import Tool


@dataclass(frozen=True, slots=True)
class ChatInput:
    """What a prompt is made of, in the words of the wire. Nothing in it is checked but its shape."""

    messages: Sequence[Message]
    tools: Sequence[Tool] = ()
    """Functions that the model is shown; none with `tool_choice` "none"."""
    response_format: ResponseFormat | None = None
    """What the model is told of the form of its answer; None is any text."""
    is_formed: bool = False
    """A grammar holds the answer to a form, before which a thought comes only if it is asked for."""
    reasoning_effort: ReasoningEffort | None = None
    prompt_mode: MistralPromptMode | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The files of images and audio, by what a chunk names them with: their URL or their data."""

    @property
    def asks_to_think(self) -> bool:
        """As hosted, a model that can be told to think does so only then."""
        if self.reasoning_effort is None:
            return self.prompt_mode is MistralPromptMode.reasoning
        return self.reasoning_effort is not ReasoningEffort.none


@dataclass(frozen=True, slots=True)
class RenderedChat:
    """A prompt, and how the answer to it begins."""

    prompt: TokensPrompt
    prefix: str = ""
    """Text that the answer begins with; the model has it in its prompt."""
    thought: str = ""
    """A thought that comes before the prefix, likewise."""
    begins_in: Section = Section.TEXT
    """What the model goes on with: a thought if the prompt ends inside of one, behind its mark."""


class Renderer(Protocol):
    """Makes prompts for one model. Pure: it may be called in a thread."""

    @property
    def output_format(self) -> OutputFormat:
        """How the model marks calls and thoughts."""
        ...

    @property
    def reasoning_efforts(self) -> Sequence[ReasoningEffort]:
        """The values of `reasoning_effort` that the model knows; empty if it does not think."""
        ...

    @property
    def modalities(self) -> Set[Modality]:
        """What the prompt can hold beside text; chunks of any other kind are refused."""
        ...

    def render(self, chat: ChatInput, max_context_length: int) -> RenderedChat:
        """The prompt up to where the model goes on.

        Raises:
            ContextLengthError: it cannot fit; the count is the least possible.
            InvalidRequestError: its subclasses say what in the conversation cannot be.
        """
        ...


def text_length(messages: Sequence[Message]) -> int:
    """Characters of all texts. Thoughts are left out, as they are from the prompts of many models."""
    return sum(len(text) for message in messages for text in _texts(message))


def _texts(message: Message) -> Iterator[str]:
    match message.content:
        case str(text):
            yield text
        case [*chunks]:
            yield from (chunk.text for chunk in chunks if isinstance(chunk, TextChunk))
