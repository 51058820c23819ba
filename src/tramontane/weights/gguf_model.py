"""A GGUF file as a `SourceModel`: llama.cpp's keys, names and order of rows turned into Hugging Face's."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tramontane.errors import ModelStoreError
from tramontane.weights.gguf import read_gguf
from tramontane.weights.gguf_metadata import Metadata
from tramontane.weights.gguf_tokenizer import read_gguf_tokenizer
from tramontane.weights.model import DecoderConfig, SourceModel
from tramontane.weights.rope import LinearScaling, inverse_frequencies
from tramontane.weights.tensors import Encoding, Tensor, floats, require_shape
from tramontane.weights.token_roles import stop_token_ids

_INTERLEAVED_ROPE = {"llama": True, "qwen2": False}
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
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CHANGES_THE_GRAPH = (
    "attention.scale",
    "attention.clamp_kqv",
    "attention.temperature_length",
    "attention.temperature_scale",
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
    is_sentencepiece = metadata.text("tokenizer.ggml.model") == "llama"
    wants_begin = metadata.flag("tokenizer.ggml.add_bos_token", default=is_sentencepiece)
    return SourceModel(
        config=config,
        tensors=GgufTensors(file.tensors, config, interleaved=_INTERLEAVED_ROPE[config.architecture]),
        quantization=_quantization(file.tensors),
        tokenizer=tokenizer,
        chat_template=metadata.text("tokenizer.chat_template", "") or None,
        bos_token_id=begin if wants_begin and begin >= 0 else None,
        stop_token_ids=stop_token_ids(tokenizer, [end for end in ends if end >= 0]),
    )


class GgufTensors:
    """The `TensorSource` of a GGUF file."""

    def __init__(self, tensors: Mapping[str, Tensor], config: DecoderConfig, *, interleaved: bool) -> None:
        self._tensors = {_huggingface_name(name): t for name, t in tensors.items() if name != _ROPE_FACTORS}
        self._interleaved_heads = {"q_proj": config.heads, "k_proj": config.kv_heads} if interleaved else {}
        self._head_size = config.head_size

    @property
    def names(self) -> Collection[str]:
        """Every tensor there is; what has no name of Hugging Face's keeps its own."""
        return self._tensors.keys()

    def read(self, name: str) -> Tensor:
        """The tensor `name`, its rows in Hugging Face's order.

        Raises:
            ModelStoreError: there is none.
        """
        try:
            tensor = replace(self._tensors[name], name=name)
        except KeyError:
            raise ModelStoreError(f"The weights lack the tensor {name}") from None
        heads = self._interleaved_heads.get(name.split(".")[-2])
        return tensor if heads is None else self._with_halves(tensor, heads)

    def _with_halves(self, tensor: Tensor, heads: int) -> Tensor:
        """The same tensor with the pairs of each head in its halves."""
        require_shape(tensor, (heads * self._head_size, *tensor.shape[1:]))
        if len(tensor.shape) == 1:
            elements = floats(tensor).reshape(heads, -1, 2).swapaxes(1, 2).reshape(1, -1)
            return replace(tensor, encoding=Encoding.F32, rows=np.ascontiguousarray(elements).view(np.uint8))
        pairs = tensor.rows.reshape(heads, self._head_size // 2, 2, -1)
        return replace(tensor, rows=np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(tensor.rows.shape))


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
    context = integer("context_length")
    return DecoderConfig(
        architecture=architecture,
        vocabulary_size=tensors[_EMBEDDING].shape[0],
        hidden_size=hidden_size,
        feed_forward_size=integer("feed_forward_length"),
        layers=integer("block_count"),
        heads=heads,
        kv_heads=integer("attention.head_count_kv", heads),
        head_size=head_size,
        max_context_length=min(context, integer("attention.sliding_window", 0) or context),
        rms_epsilon=metadata.number(f"{architecture}.attention.layer_norm_rms_epsilon"),
        inverse_frequencies=_frequencies(metadata, architecture, head_size, tensors.get(_ROPE_FACTORS)),
        tied_embeddings=_OUTPUT not in tensors,
    )


def _refuse_variants(metadata: Metadata, architecture: str) -> None:
    if metadata.integer("split.count", 1) > 1:
        raise ModelStoreError("It is one part of a split model; merge the parts into one file first")
    for name in _CHANGES_THE_GRAPH:
        if metadata.number(f"{architecture}.{name}", 0.0):
            raise ModelStoreError(f"It sets {architecture}.{name}, which is not supported")


def _frequencies(
    metadata: Metadata, architecture: str, head_size: int, factors: Tensor | None
) -> npt.NDArray[np.float32]:
    frequencies = inverse_frequencies(head_size, metadata.number(f"{architecture}.rope.freq_base", 10_000.0))
    match metadata.text(f"{architecture}.rope.scaling.type", "none"):
        case "none":
            pass
        case "linear":
            factor = metadata.number(f"{architecture}.rope.scaling.factor")
            frequencies = LinearScaling(factor).apply(frequencies)
        case scaling:
            raise ModelStoreError(f'Its rope scaling is "{scaling}"; supported are linear and llama3')
    if factors is not None:
        # llama3 scaling, worked out by whoever made the file.
        require_shape(factors, frequencies.shape)
        frequencies = frequencies / floats(factors)
    return frequencies.astype(np.float32)


def _quantization(tensors: Mapping[str, Tensor]) -> str:
    elements: Counter[str] = Counter()
    for tensor in tensors.values():
        elements[tensor.encoding.value] += prod(tensor.shape)
    return elements.most_common(1)[0][0]


def _huggingface_name(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    match name.split("."):
        case ["blk", layer, part, kind] if part in _LAYER_NAMES:
            return f"model.layers.{layer}.{_LAYER_NAMES[part]}.{kind}"
        case _:
            return name
