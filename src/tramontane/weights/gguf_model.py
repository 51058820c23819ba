"""A GGUF file as a `SourceModel`: llama.cpp's keys, names and order of rows turned into Hugging Face's."""

from collections import Counter
from collections.abc import Collection, Mapping
from math import prod
from pathlib import Path

from tramontane.errors import ModelStoreError
from tramontane.weights.gguf import read_gguf
from tramontane.weights.gguf_metadata import Metadata
from tramontane.weights.gguf_rope import gguf_query_scaling, gguf_rope
from tramontane.weights.gguf_tokenizer import read_gguf_tokenizer, wants_begin_by_default
from tramontane.weights.halves import HalvedTensors
from tramontane.weights.model import MOST_LAYERS, DecoderConfig, SourceModel
from tramontane.weights.renamed import RenamedTensors
from tramontane.weights.tensors import Encoding, Tensor, TensorSource
from tramontane.weights.token_roles import stop_token_ids

_INTERLEAVED_ROPE = {"llama": True, "mistral3": True, "qwen2": False, "qwen3": False}
"""The supported architectures: whether rotary pairs are neighbours in a head, or its halves."""

_ROPE_FACTORS = "rope_freqs.weight"
_EMBEDDING = "token_embd.weight"
_OUTPUT = "output.weight"
_NAMES = {
    _EMBEDDING: "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    _OUTPUT: "lm_head.weight",
}
_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_HEAD_NORMS = ("qwen3",)
_CHANGES_THE_GRAPH = (
    "attention.scale",
    "attention.clamp_kqv",
    "embedding_scale",
    "expert_count",
    "final_logit_softcapping",
    "logit_scale",
    "residual_scale",
)
"""Keys of an architecture that ask for something that the graph does not do, unless they are 0."""


def read_gguf_model(path: Path) -> SourceModel:
    """The model in the GGUF file `path`.

    Raises:
        ModelStoreError: it is damaged, or needs what is not supported.
    """
    file = read_gguf(path)
    metadata = file.metadata
    config = _config(metadata, file.tensors)
    tokenizer = read_gguf_tokenizer(metadata)
    ends = [metadata.integer(f"tokenizer.ggml.{name}_token_id", -1) for name in ("eos", "eot", "eom")]
    begin = metadata.integer("tokenizer.ggml.bos_token_id", -1)
    elements = _elements_by_encoding(file.tensors)
    wants_begin = metadata.flag("tokenizer.ggml.add_bos_token", default=wants_begin_by_default(metadata))
    return SourceModel(
        config=config,
        tensors=_tensors(file.tensors, config),
        elements=elements.total(),
        encoding=elements.most_common(1)[0][0],
        tokenizer=tokenizer,
        chat_template=metadata.text("tokenizer.chat_template", "") or None,
        bos_token_id=begin if wants_begin and begin >= 0 else None,
        stop_token_ids=stop_token_ids(tokenizer, [end for end in ends if end >= 0]),
    )


class _Stored:
    """The tensors of a file under its own names."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    @property
    def names(self) -> Collection[str]:
        return self._tensors.keys()

    def read(self, name: str) -> Tensor:
        return self._tensors[name]


def _tensors(stored: Mapping[str, Tensor], config: DecoderConfig) -> TensorSource:
    renamed = RenamedTensors(_Stored(stored), _huggingface_name)
    if not _INTERLEAVED_ROPE[config.architecture]:
        return renamed
    return HalvedTensors(renamed, {"q_proj": config.heads, "k_proj": config.kv_heads}, config.head_size)


def _config(metadata: Metadata, tensors: Mapping[str, Tensor]) -> DecoderConfig:
    architecture = metadata.text("general.architecture")
    if architecture not in _INTERLEAVED_ROPE:
        supported = ", ".join(_INTERLEAVED_ROPE)
        raise ModelStoreError(
            f'Its architecture is "{architecture}"; supported in GGUF files are {supported}'
        )

    def integer(name: str, default: int | None = None) -> int:
        return metadata.integer(f"{architecture}.{name}", default)

    _refuse_variants(metadata, architecture)
    if _EMBEDDING not in tensors:
        raise ModelStoreError(f"The weights lack the tensor {_EMBEDDING}")
    hidden_size, heads = integer("embedding_length"), integer("attention.head_count")
    head_size = integer("attention.key_length", hidden_size // max(heads, 1))
    for other in ("attention.value_length", "rope.dimension_count"):
        if integer(other, head_size) != head_size:
            raise ModelStoreError(f"Its {other} differs from its head size, which is not supported")
    context, layers = integer("context_length"), integer("block_count")
    frequencies, magnitude = gguf_rope(metadata, architecture, head_size, tensors.get(_ROPE_FACTORS))
    window = integer("attention.sliding_window", 0)
    return DecoderConfig(
        architecture=architecture,
        vocabulary_size=tensors[_EMBEDDING].shape[0],
        hidden_size=hidden_size,
        feed_forward_size=integer("feed_forward_length"),
        layers=layers,
        heads=heads,
        kv_heads=integer("attention.head_count_kv", heads),
        head_size=head_size,
        max_context_length=context,
        rms_epsilon=metadata.number(f"{architecture}.attention.layer_norm_rms_epsilon"),
        inverse_frequencies=frequencies,
        rotary_magnitude=magnitude,
        query_scaling=gguf_query_scaling(metadata, architecture),
        head_norms=architecture in _HEAD_NORMS,
        windows=(window,) * min(layers, MOST_LAYERS) if 0 < window < context else (),
        tied_embeddings=_OUTPUT not in tensors,
    )


def _refuse_variants(metadata: Metadata, architecture: str) -> None:
    if metadata.integer("split.count", 1) > 1:
        raise ModelStoreError("It is one part of a split model; merge the parts into one file first")
    for name in _CHANGES_THE_GRAPH:
        if metadata.number(f"{architecture}.{name}", 0.0):
            raise ModelStoreError(f"It sets {architecture}.{name}, which is not supported")


def _elements_by_encoding(tensors: Mapping[str, Tensor]) -> Counter[Encoding]:
    elements: Counter[Encoding] = Counter()
    for tensor in tensors.values():
        elements[tensor.encoding] += prod(tensor.shape)
    return elements


def _huggingface_name(name: str) -> str | None:
    """What has no name of Hugging Face's keeps its own; what is no tensor of a layer has none."""
    if name == _ROPE_FACTORS:
        return None
    if name in _NAMES:
        return _NAMES[name]
    match name.split("."):
        case ["blk", layer, part, kind] if part in _LAYER_NAMES:
            return f"model.layers.{layer}.{_LAYER_NAMES[part]}.{kind}"
        case _:
            return name
