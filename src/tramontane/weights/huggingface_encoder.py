"""config.json of a BERT encoder, and the files that sentence-transformers puts beside it."""

from pathlib import Path
from typing import Literal

import msgspec

from tramontane.errors import ModelStoreError
from tramontane.weights.json_file import read_json, read_json_if_there
from tramontane.weights.model import EncoderConfig

ARCHITECTURES = ("bert",)


class _ConfigFile(msgspec.Struct, kw_only=True):
    model_type: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    position_embedding_type: str = "absolute"


class _SentenceConfigFile(msgspec.Struct, kw_only=True):
    max_seq_length: int | None = None


class _Module(msgspec.Struct, kw_only=True):
    type: str
    path: str

    @property
    def kind(self) -> str:
        return self.type.rpartition(".")[2]


class _PoolingFile(msgspec.Struct, kw_only=True):
    pooling_mode_cls_token: bool = False
    pooling_mode_mean_tokens: bool = False
    pooling_mode_max_tokens: bool = False
    pooling_mode_mean_sqrt_len_tokens: bool = False
    pooling_mode_weightedmean_tokens: bool = False
    pooling_mode_lasttoken: bool = False

    def mode(self) -> Literal["mean", "cls"]:
        match [name for name in self.__struct_fields__ if getattr(self, name)]:
            case ["pooling_mode_mean_tokens"]:
                return "mean"
            case ["pooling_mode_cls_token"]:
                return "cls"
            case modes:
                raise ModelStoreError(f"Its pooling is {modes}; supported are mean and cls, one at a time")


def read_encoder_config(folder: Path) -> EncoderConfig:
    """The configuration of the encoder in `folder`.

    Raises:
        ModelStoreError: it is incomplete, or asks for what the graph does not do.
    """
    file = read_json(folder / "config.json", _ConfigFile)
    if file.hidden_act != "gelu":
        raise ModelStoreError(f'Its activation is "{file.hidden_act}"; supported is gelu')
    if file.position_embedding_type != "absolute":
        raise ModelStoreError(f'Its positions are "{file.position_embedding_type}"; supported is absolute')
    sentence = read_json_if_there(
        folder / "sentence_bert_config.json", _SentenceConfigFile, _SentenceConfigFile()
    )
    positions = file.max_position_embeddings
    return EncoderConfig(
        architecture=file.model_type,
        vocabulary_size=file.vocab_size,
        hidden_size=file.hidden_size,
        feed_forward_size=file.intermediate_size,
        layers=file.num_hidden_layers,
        heads=file.num_attention_heads,
        max_positions=positions,
        max_context_length=min(positions, sentence.max_seq_length or positions),
        layer_norm_epsilon=file.layer_norm_eps,
        pooling=_pooling(folder),
    )


def _pooling(folder: Path) -> Literal["mean", "cls"]:
    """What turns token vectors into one; the mean where the folder does not say."""
    modules = read_json_if_there(folder / "modules.json", list[_Module], [])
    if unknown := [m.kind for m in modules if m.kind not in ("Transformer", "Pooling", "Normalize")]:
        raise ModelStoreError(f"It has a module {unknown[0]} after its encoder, which is not supported")
    paths = [folder / module.path for module in modules if module.kind == "Pooling"]
    return read_json(paths[0] / "config.json", _PoolingFile).mode() if paths else "mean"
