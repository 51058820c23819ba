"""What servers stream: the chunks of OpenAI's API, with what Mistral, vLLM and llama.cpp say beside it.

Fields that are not here are passed over; a field of another type is no chunk.
"""

from typing import Any

import msgspec


class Part(msgspec.Struct, frozen=True):
    """A piece of content in a list, as Mistral's thinking models write them."""

    type: str = "text"
    text: str | None = None
    thinking: "list[Part] | str | None" = None


class FunctionPart(msgspec.Struct, frozen=True):
    """A piece of a call; `arguments` is text that goes on, or the whole object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallPart(msgspec.Struct, frozen=True):
    """A piece of the call `index`; without one it is a call of its own."""

    index: int | None = None
    id: str | None = None
    function: FunctionPart = FunctionPart()


class TopLogprob(msgspec.Struct, frozen=True):
    """A token and its log-probability."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    token_id: int | None = None


class Logprobs(msgspec.Struct, frozen=True):
    """Those of the tokens of one chunk."""

    content: list[TopLogprob] | None = None


class Delta(msgspec.Struct, frozen=True):
    """What a chunk adds to an answer."""

    content: str | list[Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CallPart] | None = None


class Choice(msgspec.Struct, frozen=True):
    """The part of one answer in a chunk."""

    index: int = 0
    delta: Delta = Delta()
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class CachedTokens(msgspec.Struct, frozen=True):
    """How many tokens of the prompt came from a cache."""

    cached_tokens: int | None = None


class UsagePart(msgspec.Struct, frozen=True):
    """Tokens used so far."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: CachedTokens | None = None
    num_cached_tokens: int | None = None

    @property
    def cached_tokens(self) -> int:
        """Whichever way they are told."""
        details = self.prompt_tokens_details
        return (details.cached_tokens if details else self.num_cached_tokens) or 0


class Chunk(msgspec.Struct, frozen=True):
    """One event of a stream."""

    choices: list[Choice] = []
    usage: UsagePart | None = None
    error: Any = None
    object: str | None = None
