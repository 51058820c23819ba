"""config.json of a decoder of the Llama family, alone or as the text part of a model that also sees."""

from pathlib import Path

import msgspec

from tramontane.errors import ModelStoreError
from tramontane.weights.huggingface_rope import Rope
from tramontane.weights.json_file import read_json
from tramontane.weights.model import MOST_LAYERS, DecoderConfig
from tramontane.weights.rope import QueryScaling

ARCHITECTURES = ("llama", "mistral", "ministral", "ministral3", "qwen2", "qwen3")
WITH_EYES = ("mistral3", "llava")
"""Models whose text part, under `text_config`, is one of the above."""

_HEAD_NORMS = ("qwen3",)
_WINDOW_IF_ASKED = ("qwen2", "qwen3")
"""Architectures whose `sliding_window` holds only where `use_sliding_window` says so."""
_PREFIXES = ("model.language_model.", "language_model.model.", "language_model.", "model.")
_EYES = ("vision_tower", "vision_model", "multi_modal_projector", "vision_encoder")


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
    use_sliding_window: bool = False
    max_window_layers: int = 0
    layer_types: list[str] | None = None
    partial_rotary_factor: float = 1.0
    rope_theta: float = 10_000.0
    rope_scaling: Rope | None = None
    rope_parameters: Rope | None = None
    tie_word_embeddings: bool = False


class _WithEyes(msgspec.Struct, kw_only=True):
    text_config: _ConfigFile


class _Kind(msgspec.Struct, kw_only=True):
    model_type: str


def read_decoder_config(path: Path, *, has_output: bool) -> DecoderConfig:
    """The configuration in the config.json `path`; `has_output` if the weights hold an output projection.

    Raises:
        ModelStoreError: it is incomplete, or asks for what the graph does not do.
    """
    file = _text_part(path)
    if file.hidden_act != "silu":
        raise ModelStoreError(f'Its activation is "{file.hidden_act}"; supported is silu')
    if file.partial_rotary_factor != 1.0:
        raise ModelStoreError("It rotates only a part of each head, which is not supported")
    rope = file.rope_parameters or file.rope_scaling or Rope()
    head_size = file.head_dim or file.hidden_size // max(file.num_attention_heads, 1)
    frequencies, magnitude = rope.frequencies(head_size, file.rope_theta, file.max_position_embeddings)
    return DecoderConfig(
        architecture=file.model_type,
        vocabulary_size=file.vocab_size,
        hidden_size=file.hidden_size,
        feed_forward_size=file.intermediate_size,
        layers=file.num_hidden_layers,
        heads=file.num_attention_heads,
        kv_heads=file.num_key_value_heads or file.num_attention_heads,
        head_size=head_size,
        max_context_length=file.max_position_embeddings,
        rms_epsilon=file.rms_norm_eps,
        inverse_frequencies=frequencies,
        rotary_magnitude=magnitude,
        query_scaling=_query_scaling(rope),
        head_norms=file.model_type in _HEAD_NORMS,
        windows=_windows(file),
        tied_embeddings=file.tie_word_embeddings or not has_output,
    )


def decoder_tensor_name(name: str) -> str | None:
    """How `LlamaForCausalLM` would call the tensor `name`; None for what belongs to the eyes of a model."""
    if name.removeprefix("model.").split(".")[0] in _EYES:
        return None
    bare = name
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            bare = name.removeprefix(prefix)
            break
    return bare if bare.startswith("lm_head.") else f"model.{bare}"


def _text_part(path: Path) -> _ConfigFile:
    if read_json(path, _Kind).model_type not in WITH_EYES:
        return read_json(path, _ConfigFile)
    file = read_json(path, _WithEyes).text_config
    if file.model_type not in ARCHITECTURES:
        supported = ", ".join(ARCHITECTURES)
        raise ModelStoreError(f'Its text part is "{file.model_type}"; supported are {supported}')
    return file


def _windows(file: _ConfigFile) -> tuple[int, ...]:
    """What each layer sees; () if that is everything within the longest context."""
    window, layers = file.sliding_window, min(file.num_hidden_layers, MOST_LAYERS)
    asked_for = file.use_sliding_window or file.model_type not in _WINDOW_IF_ASKED
    if window is None or not asked_for or window >= file.max_position_embeddings:
        return ()
    if file.layer_types is not None:
        return tuple(window if kind == "sliding_attention" else 0 for kind in file.layer_types)
    first = file.max_window_layers if file.model_type in _WINDOW_IF_ASKED else 0
    return tuple(window if layer >= first else 0 for layer in range(layers))


def _query_scaling(rope: Rope) -> QueryScaling | None:
    beta, length = rope.llama_4_scaling_beta, rope.original_max_position_embeddings
    if not beta:
        return None
    if not length:
        raise ModelStoreError("It scales its queries by position, but does not say from which length on")
    return QueryScaling(beta, length)
