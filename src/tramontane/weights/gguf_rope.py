"""How the keys of a GGUF file describe rotary positions.

The rules are those of llama.cpp's `llama_context` and of its converter for each architecture.
"""

import numpy as np
import numpy.typing as npt

from tramontane.errors import ModelStoreError
from tramontane.weights.gguf_metadata import Metadata
from tramontane.weights.rope import (
    LinearScaling,
    QueryScaling,
    RopeScaling,
    YarnScaling,
    inverse_frequencies,
    yarn_magnitude,
)
from tramontane.weights.tensors import Tensor, floats, require_shape


def gguf_rope(
    metadata: Metadata, architecture: str, head_size: int, factors: Tensor | None
) -> tuple[npt.NDArray[np.float32], float]:
    """Radians a position of each pair of a head, and what rotated heads are multiplied by.

    Args:
        metadata: of the file.
        architecture: that its keys begin with.
        head_size: of the attention.
        factors: that frequencies are divided by: llama3 scaling, worked out by whoever made the file.

    Raises:
        ModelStoreError: a rule that is not supported.
    """
    prefix = f"{architecture}.rope"
    frequencies = inverse_frequencies(head_size, metadata.number(f"{prefix}.freq_base", 10_000.0))
    scaling = _scaling(metadata, architecture)
    if scaling is not None:
        frequencies = scaling.apply(frequencies)
    if factors is not None:
        require_shape(factors, frequencies.shape)
        frequencies = frequencies / floats(factors)
    magnitude = metadata.number(f"{prefix}.scaling.attn_factor", 1.0)
    if isinstance(scaling, YarnScaling):
        weight = metadata.number(f"{prefix}.scaling.yarn_log_multiplier", 0.0)
        magnitude *= yarn_magnitude(scaling.factor) / yarn_magnitude(scaling.factor, weight)
    return frequencies.astype(np.float32), magnitude


def gguf_query_scaling(metadata: Metadata, architecture: str) -> QueryScaling | None:
    """How queries grow with their position, in files that say so.

    Raises:
        ModelStoreError: a key is missing.
    """
    beta = metadata.number(f"{architecture}.attention.temperature_scale", 0.0)
    if not beta:
        return None
    length = metadata.integer(f"{architecture}.attention.temperature_length", 0)
    return QueryScaling(beta, length or _original_context(metadata, architecture))


def _scaling(metadata: Metadata, architecture: str) -> RopeScaling | None:
    prefix = f"{architecture}.rope.scaling"
    match metadata.text(f"{prefix}.type", "none"):
        case "none":
            return None
        case "linear":
            return LinearScaling(metadata.number(f"{prefix}.factor"))
        case "yarn":
            return YarnScaling(
                metadata.number(f"{prefix}.factor"),
                _original_context(metadata, architecture),
                metadata.number(f"{prefix}.yarn_beta_fast", 32.0),
                metadata.number(f"{prefix}.yarn_beta_slow", 1.0),
            )
        case name:
            raise ModelStoreError(f'Its rope scaling is "{name}"; supported are linear, yarn and llama3')


def _original_context(metadata: Metadata, architecture: str) -> int:
    context = metadata.integer(f"{architecture}.context_length")
    return metadata.integer(f"{architecture}.rope.scaling.original_context_length", context)
