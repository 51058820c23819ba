"""config.json of a decoder of the Llama family."""

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from tramontane.errors import ModelStoreError
from tramontane.weights.json_file import read_json
from tramontane.weights.model import DecoderConfig
from tramontane.weights.rope import LinearScaling, Llama3Scaling, RopeScaling, inverse_frequencies

ARCHITECTURES = ("llama", "mistral", "qwen2")


class _Rope(msgspec.Struct, kw_only=True):
    """`rope_scaling` of older files, `rope_parameters` of newer ones, which hold the base as well."""

    rope_type: str | None = None
    type: str | None = None
    rope_theta: float | None = None
    factor: float | None = None
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None
    original_max_position_embeddings: int | None = None

    def scaling(self) -> RopeScaling | None:
        match self.rope_type or self.type or "default":
            case "default":
                return None
            case "linear" if self.factor:
                return LinearScaling(self.factor)
            case "llama3" if (
                self.factor
                and self.low_freq_factor
                and self.high_freq_factor
                and self.original_max_position_embeddings
            ):
                return Llama3Scaling(
                    self.factor,
                    self.low_freq_factor,
                    self.high_freq_factor,
                    self.original_max_position_embeddings,
                )
            case "linear" | "llama3" as name:
                raise ModelStoreError(f'Its rope scaling "{name}" lacks parameters')
            case name:
                raise ModelStoreError(f'Its rope scaling is "{name}"; supported are linear and llama3')


class _ConfigFile(msgspec.Struct, kw_only=True):
    model_type: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    hidden_act: str = "silu"
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int
    sliding_window: int | None = None
    use_sliding_window: bool = True
    partial_rotary_factor: float = 1.0
    rope_theta: float = 10_000.0
    rope_scaling: _Rope | None = None
    rope_parameters: _Rope | None = None
    tie_word_embeddings: bool = False


def read_decoder_config(path: Path, *, has_output: bool) -> DecoderConfig:
    """The configuration in the config.json `path`; `has_output` if the weights hold an output projection.

    Raises:
        ModelStoreError: it is incomplete, or asks for what the graph does not do.
    """
    file = read_json(path, _ConfigFile)
    if file.hidden_act != "silu":
        raise ModelStoreError(f'Its activation is "{file.hidden_act}"; supported is silu')
    if file.partial_rotary_factor != 1.0:
        raise ModelStoreError("It rotates only a part of each head, which is not supported")
    head_size = file.head_dim or file.hidden_size // max(file.num_attention_heads, 1)
    context = file.max_position_embeddings
    window = file.sliding_window if file.use_sliding_window else None
    return DecoderConfig(
        architecture=file.model_type,
        vocabulary_size=file.vocab_size,
        hidden_size=file.hidden_size,
        feed_forward_size=file.intermediate_size,
        layers=file.num_hidden_layers,
        heads=file.num_attention_heads,
        kv_heads=file.num_key_value_heads or file.num_attention_heads,
        head_size=head_size,
        # Within its window a sliding attention is a full one.
        max_context_length=min(context, window or context),
        rms_epsilon=file.rms_norm_eps,
        inverse_frequencies=_frequencies(file, head_size),
        tied_embeddings=file.tie_word_embeddings or not has_output,
    )


def _frequencies(file: _ConfigFile, head_size: int) -> npt.NDArray[np.float32]:
    rope = file.rope_parameters or file.rope_scaling or _Rope()
    frequencies = inverse_frequencies(head_size, rope.rope_theta or file.rope_theta)
    scaling = rope.scaling()
    return (scaling.apply(frequencies) if scaling else frequencies).astype(np.float32)
