"""What parents and workers say to one another, whatever is hosted.

Token ids cross as they are; text never does. What to load is said in each adapter's own words.
"""

from typing import Literal

import msgspec

from tramontane.core.events import FinishReason
from tramontane.core.sampling import SamplingParams


class Ready(msgspec.Struct, tag=True, frozen=True):
    """The model is loaded and warm."""


class LoadFailed(msgspec.Struct, tag=True, frozen=True):
    """The model cannot be loaded; the worker exits."""

    message: str


class Ping(msgspec.Struct, tag=True, frozen=True):
    """Say that you live. A worker answers between two steps; no host ever sees it."""


class Pong(msgspec.Struct, tag=True, frozen=True):
    """The answer to `Ping`."""


class Generate(msgspec.Struct, tag=True, frozen=True):
    """Continue `token_ids`. `id` is unique for the life of the worker."""

    id: int
    token_ids: list[int]
    params: SamplingParams
    adapter: str | None = None
    """The LoRA adapter that works on the model for this answer; only of engines that were given some."""


class Embed(msgspec.Struct, tag=True, frozen=True):
    """Turn `inputs` into vectors."""

    id: int
    inputs: list[list[int]]


class Abort(msgspec.Struct, tag=True, frozen=True):
    """Nobody waits for this request any more."""

    id: int


class Tokens(msgspec.Struct, frozen=True, array_like=True):
    """The next tokens of one request."""

    id: int
    token_ids: list[int]
    finish_reason: FinishReason | None = None
    cached_tokens: int | None = None
    logprobs: list[float] = []


class Step(msgspec.Struct, tag=True, frozen=True):
    """What one step of the pipeline brought, for all requests."""

    tokens: list[Tokens]


class Vectors(msgspec.Struct, tag=True, frozen=True):
    """The vectors of a whole `Embed`: little-endian float32, row by row."""

    id: int
    data: bytes


class Failed(msgspec.Struct, tag=True, frozen=True):
    """The request ends here.

    `invalid`: it asked for what cannot be. `busy`: there was no time for it. `engine`: the engine broke down
    under it.
    """

    id: int
    reason: Literal["invalid", "busy", "engine"]
    message: str


Reply = Ready | LoadFailed | Pong | Step | Vectors | Failed
