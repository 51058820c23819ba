"""What the worker of this adapter is told: what to load, and then what every worker is told."""

import msgspec

from tramontane.engines.worker.messages import Abort, Embed, Generate


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


Command = LoadGeneration | LoadEmbedding | Generate | Embed | Abort
