"""A model as its files describe it: the one form that all file formats are read into."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from tramontane.errors import ModelStoreError
from tramontane.weights.mistral_tokenizer import MistralTokenizerFile
from tramontane.weights.rope import QueryScaling
from tramontane.weights.tensors import Encoding, TensorSource

MOST_LAYERS: Final = 1 << 12
"""Far above what any model has; bounds the work on a hostile file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """A decoder of the Llama family: RMS norm, rotary positions, grouped-query attention, SwiGLU."""

    architecture: str
    vocabulary_size: int
    hidden_size: int
    feed_forward_size: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    max_context_length: int
    rms_epsilon: float
    inverse_frequencies: npt.NDArray[np.float32]
    """Radians a position for each pair of a head, with any scaling worked in: [head_size / 2]."""
    tied_embeddings: bool
    """The output projection is the embedding matrix."""
    rotary_magnitude: float = 1.0
    """Rotated queries and keys are multiplied by it."""
    query_scaling: QueryScaling | None = None
    head_norms: bool = False
    """Queries and keys go through an RMS norm, head by head, before they are rotated."""
    windows: tuple[int, ...] = ()
    """How many tokens, itself included, a token of each layer sees; 0 is all, () is all in every layer."""

    def __post_init__(self) -> None:
        _require_positive(self)
        if self.layers > MOST_LAYERS:
            raise ModelStoreError(f"It claims {self.layers} layers")
        if self.windows and len(self.windows) != self.layers:
            raise ModelStoreError(
                f"It has {self.layers} layers, but says of {len(self.windows)} what they see"
            )
        if self.heads % self.kv_heads:
            raise ModelStoreError(
                f"{self.heads} attention heads do not share {self.kv_heads} key/value heads"
            )
        if self.inverse_frequencies.shape != (self.head_size / 2,):
            raise ModelStoreError(f"Rotary positions do not cover attention heads of size {self.head_size}")
        if not np.isfinite(self.inverse_frequencies).all():
            raise ModelStoreError("The frequencies of its rotary positions are not finite")


@dataclass(frozen=True, slots=True)
class SentenceConfig:
    """How the vectors of tokens become the vector of a text."""

    pooling: Literal["mean", "cls", "last"]
    """The mean of all tokens, the first one, or the last one."""
    normalized: bool = True
    """It is brought to length 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """A BERT encoder that turns a text into one vector."""

    architecture: str
    vocabulary_size: int
    hidden_size: int
    feed_forward_size: int
    layers: int
    heads: int
    max_positions: int
    max_context_length: int
    """Longer texts are cut to so many tokens."""
    layer_norm_epsilon: float
    position_offset: int | None = None
    """The position of the first token, where that is not 0."""
    token_types: int | None = None
    """How many there are, if any; every token is of the first."""
    sentence: SentenceConfig

    def __post_init__(self) -> None:
        _require_positive(self)
        if self.hidden_size % self.heads:
            raise ModelStoreError(f"A hidden size of {self.hidden_size} is no multiple of {self.heads} heads")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderConfig:
    """A decoder whose last hidden states become one vector a text."""

    decoder: DecoderConfig
    max_context_length: int
    sentence: SentenceConfig

    @property
    def vocabulary_size(self) -> int:
        """Rows of the embedding."""
        return self.decoder.vocabulary_size


ModelConfig = DecoderConfig | EncoderConfig | EmbedderConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceModel:
    """Everything that the conversion needs of a model."""

    config: ModelConfig
    tensors: TensorSource
    elements: int
    """Of all its weights together."""
    encoding: Encoding
    """Of most of them."""
    tokenizer: Tokenizer | MistralTokenizerFile
    chat_template: str | None = None
    bos_token_id: int | None = None
    """Set only if the model wants it in front of every prompt."""
    stop_token_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        known = range(self.config.vocabulary_size)
        ids = {*_token_ids(self.tokenizer), *self.stop_token_ids}
        if self.bos_token_id is not None:
            ids.add(self.bos_token_id)
        if unknown := [token_id for token_id in ids if token_id not in known]:
            raise ModelStoreError(f"Its tokenizer has the id {unknown[0]}, its embedding {len(known)} rows")


def _token_ids(tokenizer: Tokenizer | MistralTokenizerFile) -> Iterable[int]:
    match tokenizer:
        case MistralTokenizerFile():
            return range(len(tokenizer.vocabulary))
        case _:
            return tokenizer.get_vocab().values()


def _require_positive(config: ModelConfig) -> None:
    for field in fields(config):
        value = getattr(config, field.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and not 0 < value < math.inf:
            raise ModelStoreError(f"The model's configuration has {field.name} = {value}")
