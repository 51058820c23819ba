"""A request as it is put to another server, and what is known of its cost while it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tramontane.core.usage import Usage


class Dialect(StrEnum):
    """How another server wants to be spoken to."""

    MISTRAL = "mistral"
    """The hosted API, or another Tramontane."""
    OPENAI = "openai"
    """What OpenAI documents, and nothing else."""
    VLLM = "vllm"
    """OpenAI's, with vLLM's own fields."""
    LLAMA_CPP = "llama.cpp"
    """OpenAI's, with those of llama.cpp's server."""


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """A completion that another server is asked for."""

    path: str
    """Below the base URL: "chat/completions"."""
    body: Mapping[str, Any]
    """JSON, in the server's dialect, without `model` and `stream`."""
    n: int = 1
    """Answers."""
    prefix: str = ""
    """Text that each answer begins with, of which the server says nothing."""
    max_calls: int | None = None
    """Calls that an answer may have; the first ones count."""
    affinity: bytes | None = None
    """What requests of one conversation have in common."""
    is_streamed: bool = True
    """The client reads along. If not, another replica may answer anew after one has failed on the way."""


@dataclass(slots=True)
class RunningUsage:
    """What a request has used so far: what the server says, or else an estimate."""

    estimated_prompt_tokens: int
    prompt_tokens: int | None = None
    """As the server says."""
    completion_tokens: int | None = None
    """Likewise."""
    cached_tokens: int = 0
    pieces: int = 0
    """Pieces of answers that came: servers send one for each token, or for a few."""
    has_begun: bool = field(default=False)

    @property
    def is_exact(self) -> bool:
        """The server has said it."""
        return self.prompt_tokens is not None and self.completion_tokens is not None

    @property
    def usage(self) -> Usage:
        """Nothing before the first piece of an answer: then the prompt counts."""
        if not self.has_begun:
            return Usage(0)
        prompt_tokens = self.estimated_prompt_tokens if self.prompt_tokens is None else self.prompt_tokens
        completion_tokens = self.pieces if self.completion_tokens is None else self.completion_tokens
        return Usage(prompt_tokens, completion_tokens, min(self.cached_tokens, prompt_tokens))

    def restart(self) -> None:
        """Another server begins anew."""
        self.prompt_tokens = self.completion_tokens = None
        self.cached_tokens = self.pieces = 0
        self.has_begun = False
