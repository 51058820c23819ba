"""A model as its files describe it: the one form that all file formats are read into."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from tramontane.errors import ModelStoreError
from tramontane.weights.mistral_tokenizer import MistralTokenizerFile
from tramontane.weights.tensors import TensorSource


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

    def __post_init__(self) -> None:
        _require_positive(self)
        if self.heads % self.kv_heads:
            raise ModelStoreError(
                f"{self.heads} attention heads do not share {self.kv_heads} key/value heads"
            )
        if self.inverse_frequencies.shape != (self.head_size / 2,):
            raise ModelStoreError(f"Rotary positions do not cover attention heads of size {self.head_size}")
        if not np.isfinite(self.inverse_frequencies).all():
            raise ModelStoreError("The frequencies of its rotary positions are not finite")


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
    pooling: str
    """"mean" of all tokens or "cls", the first one."""

    def __post_init__(self) -> None:
        _require_positive(self)
        if self.hidden_size % self.heads:
            raise ModelStoreError(f"A hidden size of {self.hidden_size} is no multiple of {self.heads} heads")


ModelConfig = DecoderConfig | EncoderConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceModel:
    """Everything that the conversion needs of a model."""

    config: ModelConfig
    tensors: TensorSource
    quantization: str
    """The encoding of most of its weights."""
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
