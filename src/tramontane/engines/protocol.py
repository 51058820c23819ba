"""The engine protocol: tokens in, tokens out.

An engine holds one loaded model. It knows nothing of HTTP, SQL, the wire or text. Every adapter passes the
one suite in `tests/engines/conformance.py`, which is the long form of what is said here.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tramontane.core.events import Event, FinishReason
from tramontane.core.prompt import TokensPrompt
from tramontane.core.remote import Dialect, RemoteRequest, RunningUsage
from tramontane.core.sampling import SamplingParams
from tramontane.core.usage import Usage


class Ability(StrEnum):
    """What not every engine can do."""

    GRAMMAR = "grammar"
    """Obeys `SamplingParams.grammar`."""
    LOGPROBS = "logprobs"
    """Obeys `SamplingParams.logprobs`."""
    VISION = "vision"
    """Reads `TokensPrompt.images`."""
    AUDIO = "audio"
    """Reads `TokensPrompt.audios`."""
    ROUTED = "routed"
    """Has several caches, and reads `TokensPrompt.affinity` to find the right one."""
    SCRIPTED = "scripted"
    """Says what somebody wrote before, who answers for its form: no grammar is asked of it."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What is known of a loaded model."""

    name: str
    """The adapter: "openvino", "fake", …"""
    vocabulary_size: int
    max_context_length: int
    """Tokens of prompt and answer together in one request: model context or cache, whichever ends first."""
    slots: int
    """Sequences that run well side by side; admission queues what is above."""
    embedding_dimension: int | None = None
    abilities: frozenset[Ability] = frozenset()
    control_characters: Mapping[int, str] = field(default_factory=dict)
    """The character above U+FFFFF that stands for a control token in a grammar; not all tokens have one."""


@dataclass(frozen=True, slots=True)
class EngineDelta:
    """The next tokens of one sequence.

    The last delta, and no other, has a `finish_reason` (STOP or LENGTH). A stop token is never among the ids,
    so that the ids of all deltas together are the answer and its length is the completion's token count.
    """

    token_ids: Sequence[int]
    finish_reason: FinishReason | None = None
    cached_tokens: int | None = None
    """On the first delta: prompt tokens taken from the prefix cache, where the engine knows."""
    logprobs: Sequence[float] = ()
    """If asked for, one for each of `token_ids`, else none: the natural logarithm of the probability that the
    model gave the token, before temperature, penalties and grammar. Never above 0."""


class Engine(Protocol):
    """The life of a loaded model."""

    @property
    def info(self) -> EngineInfo:
        """Known once `start` has returned; raises EngineUnavailableError before."""
        ...

    async def start(self) -> None:
        """Load the model. Returns when the first request can be served.

        Raises:
            ModelStoreError: the model cannot be loaded, and trying again will not help.
        """
        ...

    async def close(self) -> None:
        """End everything that runs and free what is held. Running requests get EngineUnavailableError."""
        ...

    async def check_health(self) -> None:
        """Return if a request would be served now.

        Raises:
            EngineUnavailableError: loading, restarting or closed.
        """
        ...


@runtime_checkable
class GenerationEngine(Engine, Protocol):
    """An engine that continues prompts."""

    def generate(self, prompt: TokensPrompt, params: SamplingParams) -> AsyncGenerator[EngineDelta]:
        """Continue `prompt`. Closing the generator aborts the request and frees its slot at once.

        Identical prompts that start after another's first delta share its prefill, if prefixes are cached.
        A grammar is read before the first delta; however large it is, that delays no request without one.

        Raises:
            ContextLengthError: the prompt leaves no room for a single token.
            InvalidRequestError: token ids out of the vocabulary, an empty prompt, a parameter it cannot obey,
                a grammar that is wrong or takes too long to read.
            FeatureNotEnabledError: a parameter or the prompt asks for an ability that `info` does not name.
            EngineUnavailableError: loading or restarting for longer than a request should wait.
            EngineError: it failed on the way; what was yielded before stands.
        """
        ...


@runtime_checkable
class EmbeddingEngine(Engine, Protocol):
    """An engine that turns token sequences into vectors."""

    async def embed(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """One L2-normalised vector a sequence: shape [inputs, `info.embedding_dimension`], in order.

        Sequences hold their special tokens and are at most `info.max_context_length` long.

        Raises:
            InvalidRequestError, EngineUnavailableError, EngineError: as in `GenerationEngine.generate`.
        """
        ...


@runtime_checkable
class CompletionEngine(Engine, Protocol):
    """An engine that takes a request as its client has put it, and answers in events: other servers."""

    @property
    def dialect(self) -> Dialect:
        """How it wants to be spoken to."""
        ...

    def complete(self, request: RemoteRequest, used: RunningUsage) -> AsyncGenerator[Event]:
        """The answers as they come, the last end of one with the usage of all. `used` is kept up to date.

        Closing the generator ends the request where it runs.

        Raises:
            InvalidRequestError: what the server says of the request.
            CapacityError: it has too much to do.
            EngineUnavailableError: it does not answer, and has not begun to.
            EngineError: it failed on the way; what was yielded before stands.
        """
        ...


@runtime_checkable
class RemoteEmbeddingEngine(Engine, Protocol):
    """An engine that turns texts into vectors, with a tokenizer of its own: other servers."""

    async def embed_texts(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.float32], Usage | None]:
        """One vector a text, in order: shape [texts, dimension], and what that used, if the server says it.

        Raises:
            InvalidRequestError, CapacityError, EngineUnavailableError, EngineError: as of `CompletionEngine`.
        """
        ...
