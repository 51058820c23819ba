"""What parent and worker say to one another. Token ids cross as they are; text never does."""

from typing import Literal

import msgspec

from tramontane.core.events import FinishReason
from tramontane.core.sampling import SamplingParams
from tramontane.engines.worker.messages import LoadFailed, Ready


class LoadGeneration(msgspec.Struct, tag=True, frozen=True):
    """Host the generation model in the folder `path`."""

    path: str
    kv_blocks: int
    threads: int


class LoadEmbedding(msgspec.Struct, tag=True, frozen=True):
    """Host the embedding model in the folder `path`, which reads up to `max_length` tokens of an input."""

    path: str
    max_length: int
    threads: int


class Generate(msgspec.Struct, tag=True, frozen=True):
    """Continue `token_ids`. `id` is unique for the life of the worker."""

    id: int
    token_ids: list[int]
    params: SamplingParams


class Embed(msgspec.Struct, tag=True, frozen=True):
    """Turn `inputs` into vectors."""

    id: int
    inputs: list[list[int]]


class Abort(msgspec.Struct, tag=True, frozen=True):
    """Nobody waits for this request any more."""

    id: int


Command = LoadGeneration | LoadEmbedding | Generate | Embed | Abort


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


Reply = Ready | LoadFailed | Step | Vectors | Failed
