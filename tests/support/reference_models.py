"""Llama and BERT as plain arithmetic on numpy arrays, written from their papers, to hold graphs against.

Everything is in 64-bit floats, one sequence at a time, with nothing cached and nothing fused.
"""

from collections.abc import Mapping
from math import erf, sqrt
from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_models import TinyBert, TinyLlama, gguf_name, tiny_llama_weights

Weights = Mapping[str, np.ndarray]


def llama_logits(
    weights: Weights,
    shape: TinyLlama,
    token_ids: list[int],
    frequencies: np.ndarray | None = None,
    window: int | None = None,
) -> np.ndarray:
    """Logits after each token: [tokens, vocabulary].

    `frequencies` in place of the unscaled rotary ones; tokens see `window` of them, themselves included.
    """
    w = {name: weight.astype(np.float64) for name, weight in weights.items()}
    if frequencies is None:
        frequencies = shape.rope_base ** (-np.arange(0, shape.head_size, 2) / shape.head_size)
    hidden = w["model.embed_tokens.weight"][token_ids]
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}."
        normed = _rms_norm(hidden, w[f"{prefix}input_layernorm.weight"], shape.rms_epsilon)
        hidden = hidden + _llama_attention(normed, w, f"{prefix}self_attn.", shape, frequencies, window)
        normed = _rms_norm(hidden, w[f"{prefix}post_attention_layernorm.weight"], shape.rms_epsilon)
        gate = normed @ w[f"{prefix}mlp.gate_proj.weight"].T
        up = normed @ w[f"{prefix}mlp.up_proj.weight"].T
        hidden = hidden + (gate / (1 + np.exp(-gate)) * up) @ w[f"{prefix}mlp.down_proj.weight"].T
    hidden = _rms_norm(hidden, w["model.norm.weight"], shape.rms_epsilon)
    return hidden @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T


def llama_greedy(
    weights: Weights, shape: TinyLlama, token_ids: list[int], new_tokens: int, window: int | None = None
) -> list[int]:
    """The most likely continuation, token by token."""
    ids = list(token_ids)
    for _ in range(new_tokens):
        ids.append(int(llama_logits(weights, shape, ids, window=window)[-1].argmax()))
    return ids[len(token_ids) :]


def bert_embedding(
    weights: Weights, shape: TinyBert, token_ids: list[int], pooling: str = "mean"
) -> np.ndarray:
    """The L2-normalised vector of one text."""
    w = {name: weight.astype(np.float64) for name, weight in weights.items()}

    def linear(values: np.ndarray, name: str) -> np.ndarray:
        return values @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(values: np.ndarray, name: str) -> np.ndarray:
        centred = values - values.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        scaled = centred / np.sqrt(variance + shape.layer_norm_epsilon)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    hidden = w["embeddings.word_embeddings.weight"][token_ids]
    hidden = hidden + w["embeddings.position_embeddings.weight"][: len(token_ids)]
    hidden = norm(hidden + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(shape.layers):
        prefix = f"encoder.layer.{layer}."
        query, key, value = (
            _split_heads(linear(hidden, f"{prefix}attention.self.{part}"), shape.heads)
            for part in ("query", "key", "value")
        )
        attended = _attend(query, key, value, np.zeros((len(token_ids), len(token_ids))))
        attended = linear(attended, f"{prefix}attention.output.dense")
        hidden = norm(hidden + attended, f"{prefix}attention.output.LayerNorm")
        inner = _gelu(linear(hidden, f"{prefix}intermediate.dense"))
        hidden = norm(hidden + linear(inner, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")
    pooled = hidden[0] if pooling == "cls" else hidden.mean(0)
    return pooled / np.linalg.norm(pooled)


def gguf_weights(path: Path, shape: TinyLlama) -> dict[str, np.ndarray]:
    """What a tiny GGUF file holds, read by the reference reader and brought into Hugging Face's order."""
    stored = {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in gguf.GGUFReader(path).tensors
    }
    weights = {}
    for name in tiny_llama_weights(shape):
        tensor = np.array(stored[gguf_name(name)], np.float32)
        heads = {"q_proj": shape.heads, "k_proj": shape.kv_heads}.get(name.split(".")[-2])
        if heads is not None:
            pairs = tensor.reshape(heads, shape.head_size // 2, 2, *tensor.shape[1:])
            tensor = pairs.swapaxes(1, 2).reshape(tensor.shape)
        weights[name] = tensor
    return weights


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities along the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _rms_norm(hidden: np.ndarray, weight: np.ndarray, epsilon: float) -> np.ndarray:
    return hidden / np.sqrt((hidden**2).mean(-1, keepdims=True) + epsilon) * weight


def _llama_attention(
    hidden: np.ndarray,
    w: Weights,
    prefix: str,
    shape: TinyLlama,
    frequencies: np.ndarray,
    window: int | None,
) -> np.ndarray:
    def heads(name: str, count: int) -> np.ndarray:
        values = hidden @ w[f"{prefix}{name}_proj.weight"].T + w.get(f"{prefix}{name}_proj.bias", 0)
        by_head = _split_heads(values, count)
        norm = w.get(f"{prefix}{name}_norm.weight")
        return by_head if norm is None else _rms_norm(by_head, norm, shape.rms_epsilon)

    tokens = len(hidden)
    query = _rotate(heads("q", shape.heads), frequencies)
    key = _rotate(heads("k", shape.kv_heads), frequencies)
    group = shape.heads // shape.kv_heads
    key, value = key.repeat(group, axis=0), heads("v", shape.kv_heads).repeat(group, axis=0)
    mask = np.triu(np.full((tokens, tokens), -np.inf), 1)
    if window is not None:
        mask += np.tril(np.full((tokens, tokens), -np.inf), -window)
    return _attend(query, key, value, mask) @ w[f"{prefix}o_proj.weight"].T


def _rotate(heads: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Each pair (same place in both halves of a head) as a complex number, turned by position x frequency."""
    first, second = np.split(heads, 2, axis=-1)
    angles = np.arange(heads.shape[1])[:, None] * frequencies
    turned = (first + 1j * second) * np.exp(1j * angles)
    return np.concatenate([turned.real, turned.imag], axis=-1)


def _split_heads(values: np.ndarray, heads: int) -> np.ndarray:
    return values.reshape(len(values), heads, -1).swapaxes(0, 1)


def _attend(query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray) -> np.ndarray:
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1]) + mask
    attended = np.exp(log_softmax(scores)) @ value
    return attended.swapaxes(0, 1).reshape(query.shape[1], -1)


def _gelu(values: np.ndarray) -> np.ndarray:
    return values * 0.5 * (1 + np.vectorize(erf)(values / sqrt(2)))
