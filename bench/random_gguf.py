"""A GGUF file of a model's size with random weights, which llama.cpp and we read alike."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

_HIDDEN, _FEED_FORWARD, _LAYERS, _HEADS, _KV_HEADS = 2048, 5632, 22, 32, 4
"""The shape of TinyLlama 1.1B."""
_BLOCK = np.dtype([("scale", "<f2"), ("codes", "u1", 16)])
"""Q4_0: 32 weights."""


def write_random_gguf(path: Path, tokenizer_of: Path) -> Path:
    """1.07 billion weights in Q4_0 (600 MB), with the tokenizer and chat template of another file."""
    source = gguf.GGUFReader(tokenizer_of)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random-1b")
    writer.add_context_length(8192)
    writer.add_embedding_length(_HIDDEN)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_block_count(_LAYERS)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_rope_dimension_count(_HIDDEN // _HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    for name, field in source.fields.items():
        if name.startswith("tokenizer."):
            _copy(writer, name, field)
    vocabulary = len(source.fields["tokenizer.ggml.tokens"].data)
    writer.add_vocab_size(vocabulary)
    rng = np.random.default_rng(0)
    _add_matrix(writer, rng, "token_embd.weight", vocabulary, _HIDDEN)
    _add_norm(writer, "output_norm.weight")
    keys = _HIDDEN // _HEADS * _KV_HEADS
    for layer in range(_LAYERS):
        prefix = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            _add_norm(writer, f"{prefix}{norm}.weight")
        for name, rows, columns in (
            ("attn_q", _HIDDEN, _HIDDEN),
            ("attn_k", keys, _HIDDEN),
            ("attn_v", keys, _HIDDEN),
            ("attn_output", _HIDDEN, _HIDDEN),
            ("ffn_gate", _FEED_FORWARD, _HIDDEN),
            ("ffn_up", _FEED_FORWARD, _HIDDEN),
            ("ffn_down", _HIDDEN, _FEED_FORWARD),
        ):
            _add_matrix(writer, rng, f"{prefix}{name}.weight", rows, columns)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _copy(writer: gguf.GGUFWriter, name: str, field: Any) -> None:
    kind, *element = field.types
    writer.add_key_value(name, field.contents(), kind, element[0] if element else None)


def _add_matrix(
    writer: gguf.GGUFWriter, rng: np.random.Generator, name: str, rows: int, columns: int
) -> None:
    blocks: npt.NDArray[Any] = np.empty((rows, columns // 32), _BLOCK)
    blocks["scale"] = 0.02 / 4
    blocks["codes"] = rng.integers(0, 256, blocks["codes"].shape, np.uint8)
    data = blocks.view(np.uint8).reshape(rows, -1)
    writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.Q4_0)


def _add_norm(writer: gguf.GGUFWriter, name: str) -> None:
    writer.add_tensor(name, np.ones(_HIDDEN, np.float32))
