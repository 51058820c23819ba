"""config.json and tensor names of BERT and its relatives."""

from pathlib import Path

import msgspec

from tramontane.errors import ModelStoreError
from tramontane.weights.huggingface_sentence import longest_input, read_sentence_config
from tramontane.weights.json_file import read_json
from tramontane.weights.model import EncoderConfig

ARCHITECTURES = ("bert", "roberta", "xlm-roberta", "distilbert")

_COUNT_FROM_PADDING = ("roberta", "xlm-roberta")
"""Their positions begin after that of the padding token."""
_PREFIXES = ("bert.", "roberta.", "xlm_roberta.", "distilbert.")
_DISTILBERT_NAMES = {
    "attention.q_lin": "attention.self.query",
    "attention.k_lin": "attention.self.key",
    "attention.v_lin": "attention.self.value",
    "attention.out_lin": "attention.output.dense",
    "sa_layer_norm": "attention.output.LayerNorm",
    "ffn.lin1": "intermediate.dense",
    "ffn.lin2": "output.dense",
    "output_layer_norm": "output.LayerNorm",
}


class _Kind(msgspec.Struct, kw_only=True):
    model_type: str


class _ConfigFile(msgspec.Struct, kw_only=True):
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    position_embedding_type: str = "absolute"
    pad_token_id: int = 1
    type_vocab_size: int = 2


class _DistilBert(msgspec.Struct, kw_only=True):
    vocab_size: int
    dim: int
    hidden_dim: int
    n_layers: int
    n_heads: int
    max_position_embeddings: int
    activation: str = "gelu"

    def as_bert(self) -> _ConfigFile:
        return _ConfigFile(
            vocab_size=self.vocab_size,
            hidden_size=self.dim,
            intermediate_size=self.hidden_dim,
            num_hidden_layers=self.n_layers,
            num_attention_heads=self.n_heads,
            max_position_embeddings=self.max_position_embeddings,
            hidden_act=self.activation,
            type_vocab_size=0,
        )


def read_encoder_config(folder: Path) -> EncoderConfig:
    """The configuration of the encoder in `folder`.

    Raises:
        ModelStoreError: it is incomplete, or asks for what the graph does not do.
    """
    path = folder / "config.json"
    kind = read_json(path, _Kind).model_type
    file = read_json(path, _DistilBert).as_bert() if kind == "distilbert" else read_json(path, _ConfigFile)
    if file.hidden_act != "gelu":
        raise ModelStoreError(f'Its activation is "{file.hidden_act}"; supported is gelu')
    if file.position_embedding_type != "absolute":
        raise ModelStoreError(f'Its positions are "{file.position_embedding_type}"; supported is absolute')
    offset = file.pad_token_id + 1 if kind in _COUNT_FROM_PADDING else 0
    positions = file.max_position_embeddings
    return EncoderConfig(
        architecture=kind,
        vocabulary_size=file.vocab_size,
        hidden_size=file.hidden_size,
        feed_forward_size=file.intermediate_size,
        layers=file.num_hidden_layers,
        heads=file.num_attention_heads,
        max_positions=positions,
        max_context_length=longest_input(folder, positions - offset),
        layer_norm_epsilon=file.layer_norm_eps,
        position_offset=offset or None,
        token_types=file.type_vocab_size or None,
        sentence=read_sentence_config(folder, "mean"),
    )


def encoder_tensor_name(name: str) -> str:
    """How `BertModel` would call the tensor `name`."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    match name.split("."):
        case ["transformer", "layer", layer, *middle, kind] if (
            part := ".".join(middle)
        ) in _DISTILBERT_NAMES:
            return f"encoder.layer.{layer}.{_DISTILBERT_NAMES[part]}.{kind}"
        case _:
            return name
