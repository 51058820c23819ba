"""The smallest model that a pipeline takes: a layer of zeros under a vocabulary of full size."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import openvino as ov

from tramontane.engines.openvino.graph.decoder import decoder_graph
from tramontane.engines.openvino.graph.weights import Weights
from tramontane.weights.model import DecoderConfig
from tramontane.weights.tensors import Encoding, Tensor

_WIDTH: Final = 32
"""The narrowest heads that paged attention takes."""
_MATRICES: Final = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
_FEED_FORWARD: Final = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
_NORMS: Final = ("input_layernorm", "post_attention_layernorm")


def save_zeros(path: Path, vocabulary_size: int) -> None:
    """Write the graph: to it, all tokens are alike."""
    config = DecoderConfig(
        architecture="zeros",
        vocabulary_size=vocabulary_size,
        hidden_size=_WIDTH,
        feed_forward_size=_WIDTH,
        layers=1,
        heads=1,
        kv_heads=1,
        head_size=_WIDTH,
        max_context_length=_WIDTH,
        rms_epsilon=1.0,
        inverse_frequencies=np.ones(_WIDTH // 2, np.float32),
        tied_embeddings=True,
    )
    weights = Weights(_Zeros(_shapes(vocabulary_size)))
    ov.save_model(decoder_graph(config, weights), path, compress_to_fp16=False)


def _shapes(vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    matrices = {f"model.layers.0.{name}.weight": (_WIDTH, _WIDTH) for name in _MATRICES + _FEED_FORWARD}
    norms = {f"model.layers.0.{name}.weight": (_WIDTH,) for name in _NORMS}
    ends = {"model.embed_tokens.weight": (vocabulary_size, _WIDTH), "model.norm.weight": (_WIDTH,)}
    return {**matrices, **norms, **ends}


@dataclass(frozen=True, slots=True)
class _Zeros:
    shapes: dict[str, tuple[int, ...]]

    @property
    def names(self) -> Collection[str]:
        return self.shapes.keys()

    def read(self, name: str) -> Tensor:
        shape = self.shapes[name]
        rows = np.zeros((*shape[:-1], shape[-1] * 2), np.uint8)
        return Tensor(name, shape, Encoding.F16, rows)
