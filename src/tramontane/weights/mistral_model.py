"""A folder in Mistral's own format as a `SourceModel`: params.json, consolidated safetensors and a tokenizer.

Queries and keys have their rotary pairs side by side there, and tensors have the names of Meta's first Llama.
"""

from pathlib import Path

import msgspec

from tramontane.errors import ModelStoreError
from tramontane.weights.halves import HalvedTensors
from tramontane.weights.json_file import read_json
from tramontane.weights.mistral_tokenizer import find_mistral_tokenizer, read_mistral_tokenizer
from tramontane.weights.model import MOST_LAYERS, DecoderConfig, SourceModel
from tramontane.weights.renamed import RenamedTensors
from tramontane.weights.rope import QueryScaling, YarnScaling, inverse_frequencies, yarn_magnitude
from tramontane.weights.safetensors import SafetensorsFolder
from tramontane.weights.tensors import TensorSource
from tramontane.weights.token_roles import stop_token_ids

PARAMS = "params.json"
STEM = "consolidated"

CONTEXT = 32_768
"""Of the models whose params.json does not say: the first ones, of 7 and 22 billion parameters."""
_EMBEDDING = "tok_embeddings.weight"
_NAMES = {
    _EMBEDDING: "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_LAYER_NAMES = {
    "attention_norm": "input_layernorm",
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w3": "mlp.up_proj",
    "feed_forward.w2": "mlp.down_proj",
}
_EYES = ("vision_encoder", "vision_language_adapter", "patch_merger", "pre_mm_projector_norm")


class _Yarn(msgspec.Struct, kw_only=True):
    factor: float
    original_max_position_embeddings: int
    beta: float = 32.0
    alpha: float = 1.0
    apply_scale: bool = True


class _QueryScaling(msgspec.Struct, kw_only=True):
    original_max_position_embeddings: int
    beta: float


class _Quantization(msgspec.Struct, kw_only=True):
    qformat_weight: str | None = None


class _Params(msgspec.Struct, kw_only=True):
    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int | None = None
    head_dim: int | None = None
    hidden_dim: int
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    max_position_embeddings: int | None = None
    max_seq_len: int | None = None
    sliding_window: int | list[int | None] | None = None
    tied_embeddings: bool = False
    yarn: _Yarn | None = None
    llama_4_scaling: _QueryScaling | None = None
    quantization: _Quantization | None = None
    moe: dict[str, object] | None = None
    q_lora_rank: int | None = None


def read_mistral_model(folder: Path) -> SourceModel:
    """The model in `folder`.

    Raises:
        ModelStoreError: it is damaged or incomplete, or needs what is not supported.
    """
    params = read_json(folder / PARAMS, _Params)
    _refuse_variants(params)
    path = find_mistral_tokenizer(folder)
    if path is None:
        raise ModelStoreError("It has no tokenizer: tekken.json or tokenizer.model.v1, v2, v3 … is missing")
    tokenizer = read_mistral_tokenizer(path)
    stored = SafetensorsFolder(folder, STEM)
    config = _config(params, stored)
    return SourceModel(
        config=config,
        tensors=_tensors(stored, config),
        elements=stored.elements,
        encoding=stored.encoding,
        tokenizer=tokenizer,
        stop_token_ids=stop_token_ids(tokenizer, ()),
    )


def _refuse_variants(params: _Params) -> None:
    if params.moe is not None:
        raise ModelStoreError("It is a mixture of experts, which is not supported")
    if params.q_lora_rank is not None:
        raise ModelStoreError("Its attention is latent (q_lora_rank), which is not supported")
    quantized = params.quantization
    if quantized is not None and quantized.qformat_weight not in (None, "fp8_e4m3"):
        raise ModelStoreError(f"Its weights are {quantized.qformat_weight}; supported is fp8_e4m3")


def _config(params: _Params, stored: SafetensorsFolder) -> DecoderConfig:
    if _EMBEDDING not in stored.names:
        raise ModelStoreError(f"The weights lack the tensor {_EMBEDDING}")
    head_size = params.head_dim or params.dim // max(params.n_heads, 1)
    frequencies, magnitude = inverse_frequencies(head_size, params.rope_theta), 1.0
    if yarn := params.yarn:
        scaling = YarnScaling(yarn.factor, yarn.original_max_position_embeddings, yarn.beta, yarn.alpha)
        frequencies = scaling.apply(frequencies)
        magnitude = yarn_magnitude(yarn.factor) if yarn.apply_scale else 1.0
    queries = params.llama_4_scaling
    context = params.max_seq_len or params.max_position_embeddings or CONTEXT
    return DecoderConfig(
        architecture="mistral",
        vocabulary_size=stored.read(_EMBEDDING).shape[0],
        hidden_size=params.dim,
        feed_forward_size=params.hidden_dim,
        layers=params.n_layers,
        heads=params.n_heads,
        kv_heads=params.n_kv_heads or params.n_heads,
        head_size=head_size,
        max_context_length=context,
        rms_epsilon=params.norm_eps,
        inverse_frequencies=frequencies.astype("float32"),
        rotary_magnitude=magnitude,
        query_scaling=QueryScaling(queries.beta, queries.original_max_position_embeddings)
        if queries
        else None,
        windows=_windows(params, context),
        tied_embeddings=params.tied_embeddings or "output.weight" not in stored.names,
    )


def _windows(params: _Params, context: int) -> tuple[int, ...]:
    """One for all layers, or a pattern that repeats."""
    match params.sliding_window:
        case None:
            return ()
        case int() as window:
            pattern: list[int | None] = [window]
        case several:
            pattern = several or [None]
    windows = [pattern[layer % len(pattern)] or 0 for layer in range(min(params.n_layers, MOST_LAYERS))]
    return tuple(windows) if any(0 < window < context for window in windows) else ()


def _tensors(stored: SafetensorsFolder, config: DecoderConfig) -> TensorSource:
    renamed = RenamedTensors(stored, _name)
    return HalvedTensors(renamed, {"q_proj": config.heads, "k_proj": config.kv_heads}, config.head_size)


def _name(name: str) -> str | None:
    """Hugging Face's, for what it has one; None for the eyes of a model."""
    if name in _NAMES:
        return _NAMES[name]
    match name.split("."):
        case [first, *_] if first in _EYES:
            return None
        case ["layers", layer, *middle, kind] if (part := ".".join(middle)) in _LAYER_NAMES:
            return f"model.layers.{layer}.{_LAYER_NAMES[part]}.{kind}"
        case _:
            return name
