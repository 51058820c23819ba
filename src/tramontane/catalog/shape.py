"""The measures of a model that its memory follows from, read of its configuration alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tramontane.errors import ModelStoreError
from tramontane.weights.gguf import read_gguf


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Of a decoder; an encoder keeps nothing between tokens and has no key-value heads."""

    architecture: str
    layers: int
    kv_heads: int
    head_size: int
    max_context_length: int | None = None
    experts: int = 0
    """Of a mixture of experts; else 0."""


def shape_of_config(config: Mapping[str, Any]) -> ModelShape | None:
    """Of a config.json (Hugging Face) or params.json (Mistral AI); None if it lacks a measure.

    Models that see keep those of their text side in `text_config`.
    """
    text = config.get("text_config")
    if isinstance(text, Mapping):
        config = {**config, **text}
    try:
        return _of_params(config) if "n_layers" in config else _of_config(config)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _of_config(config: Mapping[str, Any]) -> ModelShape:
    heads = int(config["num_attention_heads"])
    model_type = str(config.get("model_type", "unknown"))
    is_encoder = "num_key_value_heads" not in config and ("bert" in model_type or "roberta" in model_type)
    return ModelShape(
        architecture=model_type,
        layers=int(config["num_hidden_layers"]),
        kv_heads=0 if is_encoder else int(config.get("num_key_value_heads") or heads),
        head_size=int(config.get("head_dim") or config["hidden_size"] // heads),
        max_context_length=config.get("max_position_embeddings"),
        experts=int(config.get("num_local_experts") or config.get("n_routed_experts") or 0),
    )


def _of_params(params: Mapping[str, Any]) -> ModelShape:
    heads = int(params["n_heads"])
    moe = params.get("moe")
    return ModelShape(
        architecture="mistral",
        layers=int(params["n_layers"]),
        kv_heads=int(params.get("n_kv_heads") or heads),
        head_size=int(params.get("head_dim") or params["dim"] // heads),
        max_context_length=params.get("max_position_embeddings") or params.get("max_seq_len"),
        experts=int(moe.get("num_experts", 1)) if isinstance(moe, Mapping) else 0,
    )


def shape_of_json(content: bytes) -> ModelShape | None:
    """As `shape_of_config`, of the file's content; None if it is no JSON object."""
    try:
        return shape_of_config(msgspec.json.decode(content, type=dict[str, Any]))
    except msgspec.DecodeError:
        return None


def shape_of_files(path: Path) -> ModelShape | None:
    """Of a model that is here: a GGUF file, or a folder with a configuration. None if they do not say."""
    if path.is_dir():
        for name in ("config.json", "params.json"):
            if (path / name).is_file():
                return shape_of_json((path / name).read_bytes())
        return None
    try:
        return _of_gguf(path)
    except ModelStoreError:
        return None


def _of_gguf(path: Path) -> ModelShape:
    metadata = read_gguf(path).metadata
    architecture = metadata.text("general.architecture")
    heads = metadata.integer(f"{architecture}.attention.head_count")
    return ModelShape(
        architecture=architecture,
        layers=metadata.integer(f"{architecture}.block_count"),
        kv_heads=metadata.integer(f"{architecture}.attention.head_count_kv", heads),
        head_size=metadata.integer(
            f"{architecture}.attention.key_length",
            metadata.integer(f"{architecture}.embedding_length") // heads,
        ),
        max_context_length=metadata.integer(f"{architecture}.context_length", 0) or None,
        experts=metadata.integer(f"{architecture}.expert_count", 0),
    )
