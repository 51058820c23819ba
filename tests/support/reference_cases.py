"""Tiny models of every architecture, as folders that `transformers` reads as well as we do."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.tiny_models import (
    TinyBert,
    TinyLlama,
    tiny_bert_weights,
    tiny_llama_weights,
    tiny_wordpiece_tokenizer,
    write_safetensors,
    write_tiny_bert_folder,
    write_tiny_llama_folder,
)

PROMPT = [1, 50, 60, 200, 70, 71, 72, 4, 9, 100, 33, 150, 7, 261, 90, 12, 77, 5, 180, 240]
TEXTS = [[2, 40, 17, 80, 3], [2, 9, 3], [2, *range(5, 35), 3]]
"""Token ids of texts for embedding models, between the special tokens of `tiny_wordpiece_tokenizer`."""

YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 32}
MINISTRAL = YARN | {
    "factor": 16.0,
    "original_max_position_embeddings": 8,
    "beta_fast": 4.0,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "llama_4_scaling_beta": 0.1,
}


PLAIN = TinyLlama()


@dataclass(frozen=True)
class DecoderCase:
    """What config.json of a decoder says besides its sizes."""

    model_type: str
    shape: TinyLlama = PLAIN
    config: dict = field(default_factory=dict)
    """Of the text part."""
    head: str = "ForCausalLM"


DECODERS = {
    "llama": DecoderCase("llama", TinyLlama(tied=False)),
    "llama, llama3": DecoderCase(
        "llama",
        config={
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        },
    ),
    "llama, linear": DecoderCase("llama", config={"rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
    "llama, dynamic": DecoderCase("llama", config={"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}),
    "mistral": DecoderCase("mistral", TinyLlama(heads=6, kv_heads=2, hidden_size=96, tied=False)),
    "mistral, window": DecoderCase("mistral", config={"sliding_window": 5}),
    "ministral, windows": DecoderCase(
        "ministral",
        config={"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "ministral3": DecoderCase("ministral3", config={"rope_parameters": MINISTRAL}),
    "qwen2": DecoderCase("qwen2", TinyLlama(biases=True)),
    "qwen2, yarn": DecoderCase("qwen2", TinyLlama(biases=True), {"rope_scaling": YARN}),
    "qwen3": DecoderCase("qwen3", TinyLlama(head_norms=True, heads=4, kv_heads=2)),
}
HEADS = {
    "llama": "Llama",
    "mistral": "Mistral",
    "ministral": "Ministral",
    "ministral3": "Ministral3",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
}


def write_decoder(name: str, folder: Path) -> Path:
    """The case `name` of `DECODERS` as a folder."""
    case = DECODERS[name]
    architectures = [HEADS[case.model_type] + case.head]
    config = {"model_type": case.model_type, "architectures": architectures, **case.config}
    return write_tiny_llama_folder(folder, shape=case.shape, config=config)


def write_seeing_decoder(folder: Path) -> Path:
    """The case "ministral3" as the text part of a model with eyes, which are there but empty."""
    write_decoder("ministral3", folder)
    config = json.loads((folder / "config.json").read_text())
    outer = {"model_type": "mistral3", "architectures": ["Mistral3ForConditionalGeneration"]}
    (folder / "config.json").write_text(json.dumps(outer | {"text_config": config, "vision_config": {}}))
    weights = tiny_llama_weights(DECODERS["ministral3"].shape)
    renamed = {f"language_model.{name}": weight for name, weight in weights.items()}
    eyes = {"vision_tower.patch_conv.weight": weights["model.norm.weight"]}
    write_safetensors(folder / "model.safetensors", renamed | eyes, "F32")
    return folder


def _bert(folder: Path) -> Path:
    return write_tiny_bert_folder(folder)


def _roberta(kind: str, pooling: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        write_tiny_bert_folder(folder)
        _change(
            folder / "config.json",
            model_type=kind,
            architectures=["RobertaModel" if kind == "roberta" else "XLMRobertaModel"],
            type_vocab_size=2,
            pad_token_id=1,
        )
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({pooling: True}))
        return folder

    return write


def _distilbert(folder: Path) -> Path:
    shape = TinyBert()
    write_tiny_bert_folder(folder, shape=shape)
    vocabulary = tiny_wordpiece_tokenizer().get_vocab_size()
    config = {
        "model_type": "distilbert",
        "architectures": ["DistilBertModel"],
        "vocab_size": vocabulary,
        "dim": shape.hidden_size,
        "hidden_dim": shape.feed_forward_size,
        "n_layers": shape.layers,
        "n_heads": shape.heads,
        "max_position_embeddings": shape.max_positions,
    }
    (folder / "config.json").write_text(json.dumps(config))
    weights = tiny_bert_weights(shape, vocabulary)
    renamed = {_distilbert_name(name): weight for name, weight in weights.items() if "token_type" not in name}
    write_safetensors(folder / "model.safetensors", renamed, "F32")
    return folder


def _distilbert_name(name: str) -> str:
    for ours, theirs in {
        "encoder.layer": "transformer.layer",
        "attention.self.query": "attention.q_lin",
        "attention.self.key": "attention.k_lin",
        "attention.self.value": "attention.v_lin",
        "attention.output.dense": "attention.out_lin",
        "attention.output.LayerNorm": "sa_layer_norm",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "output.LayerNorm": "output_layer_norm",
    }.items():
        name = name.replace(ours, theirs)
    return name


def _decoder(name: str, pooling: str, *, normalized: bool) -> Callable[[Path], Path]:
    """A decoder without its head and its prefix, as embedding models are saved."""

    def write(folder: Path) -> Path:
        case = DECODERS[name]
        write_decoder(name, folder)
        _change(folder / "config.json", architectures=[HEADS[case.model_type] + "Model"])
        weights = {
            tensor.removeprefix("model."): weight
            for tensor, weight in tiny_llama_weights(case.shape).items()
            if tensor != "lm_head.weight"
        }
        write_safetensors(folder / "model.safetensors", weights, "F32")
        kinds = ["Transformer", "Pooling", *(["Normalize"] if normalized else [])]
        modules = [
            {
                "idx": i,
                "path": "" if i == 0 else f"{i}_{kind}",
                "type": f"sentence_transformers.models.{kind}",
            }
            for i, kind in enumerate(kinds)
        ]
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({pooling: True}))
        return folder

    return write


EMBEDDERS: dict[str, Callable[[Path], Path]] = {
    "bert": _bert,
    "roberta": _roberta("roberta", "pooling_mode_mean_tokens"),
    "xlm-roberta": _roberta("xlm-roberta", "pooling_mode_cls_token"),
    "distilbert": _distilbert,
    "mistral": _decoder("mistral", "pooling_mode_lasttoken", normalized=True),
    "mistral, window": _decoder("mistral, window", "pooling_mode_mean_tokens", normalized=False),
    "qwen3": _decoder("qwen3", "pooling_mode_lasttoken", normalized=True),
}


def _change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
