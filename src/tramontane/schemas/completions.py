"""What `/v1/chat/completions` and `/v1/fim/completions` answer, whole and streamed.

The order of the fields is the order of the keys in answers of the hosted API.
"""

from typing import Literal

from pydantic import Field

from tramontane.core.events import FinishReason
from tramontane.schemas.base import WireModel
from tramontane.schemas.content import TextChunk
from tramontane.schemas.tools import ToolCall


def is_none(value: object) -> bool:
    """For fields that are absent rather than null."""
    return value is None


class PromptTokensDetails(WireModel):
    """How many of the prompt's tokens came from a cache."""

    cached_tokens: int = 0


class UsageInfo(WireModel):
    """Tokens of a completion."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int
    prompt_tokens_details: PromptTokensDetails
    service_tier: str = "standard"


class ClosedThinkChunk(WireModel):
    """What the model thought, as a whole; not `closed` if the answer ended inside of it."""

    type: Literal["thinking"] = "thinking"
    thinking: list[TextChunk]
    closed: bool


class CompletionMessage(WireModel):
    """The answer: the hosted API's `AssistantMessage` as it is sent, not as it is taken."""

    role: Literal["assistant"] = "assistant"
    tool_calls: list[ToolCall] | None = None
    content: str | list[ClosedThinkChunk | TextChunk]


class ChatCompletionResponseTokenLogprobs(WireModel):
    """A token, and how probable the model found it."""

    token: str
    logprob: float
    bytes: list[int]
    token_id: int


class ChatCompletionResponseTokenLogprobsTopK(ChatCompletionResponseTokenLogprobs):
    """A token of an answer; alternatives to it are not served."""

    top_logprobs: list[ChatCompletionResponseTokenLogprobs] = Field(default_factory=list)


class ChatCompletionResponseChoiceLogprobs(WireModel):
    """All tokens of an answer, or of a part of it."""

    content: list[ChatCompletionResponseTokenLogprobsTopK]


class ChatCompletionChoice(WireModel):
    """One of `n` answers; it has `logprobs` only if they were asked for."""

    index: int
    finish_reason: FinishReason
    message: CompletionMessage
    logprobs: ChatCompletionResponseChoiceLogprobs | None = Field(default=None, exclude_if=is_none)


class ChatCompletionResponse(WireModel):
    """A completion as a whole."""

    id: str
    created: int
    model: str
    usage: UsageInfo
    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChatCompletionChoice]


class ThinkChunkDelta(WireModel):
    """More of what the model thinks."""

    type: Literal["thinking"] = "thinking"
    thinking: list[TextChunk]


class DeltaMessage(WireModel):
    """What a chunk adds to an answer; the role comes in the first one only."""

    role: Literal["assistant"] | None = None
    content: str | list[ThinkChunkDelta] | None = None
    tool_calls: list[ToolCall] | None = None


class CompletionResponseStreamChoice(WireModel):
    """The part of one of `n` answers; only its last chunk has a finish reason."""

    index: int
    delta: DeltaMessage
    finish_reason: FinishReason | None
    logprobs: ChatCompletionResponseChoiceLogprobs | None = Field(default=None, exclude_if=is_none)


class CompletionChunk(WireModel):
    """One `data:` line of a stream; only the very last one has the usage."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[CompletionResponseStreamChoice]
    usage: UsageInfo | None = None
