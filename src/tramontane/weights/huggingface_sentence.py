"""The files that sentence-transformers puts beside an embedding model: what makes one vector of a text."""

from pathlib import Path
from typing import Final, Literal

import msgspec

from tramontane.errors import ModelStoreError
from tramontane.weights.json_file import read_json, read_json_if_there
from tramontane.weights.model import SentenceConfig

_MODULES: Final = "modules.json"
_KNOWN: Final = ("Transformer", "Pooling", "Normalize")
_LONGEST: Final = 1 << 24
"""Tokenizers without a limit name a far larger number."""

Pooling = Literal["mean", "cls", "last"]


class _SentenceConfigFile(msgspec.Struct, kw_only=True):
    max_seq_length: int | None = None


class _TokenizerConfigFile(msgspec.Struct, kw_only=True):
    model_max_length: float | None = None


class _Module(msgspec.Struct, kw_only=True):
    type: str
    path: str

    @property
    def kind(self) -> str:
        return self.type.rpartition(".")[2]


class _PoolingFile(msgspec.Struct, kw_only=True):
    pooling_mode: str | list[str] | None = None
    """Of newer files, which name the modes in place of the flags."""
    pooling_mode_cls_token: bool = False
    pooling_mode_mean_tokens: bool = False
    pooling_mode_max_tokens: bool = False
    pooling_mode_mean_sqrt_len_tokens: bool = False
    pooling_mode_weightedmean_tokens: bool = False
    pooling_mode_lasttoken: bool = False

    def mode(self) -> Pooling:
        match self._modes():
            case ["pooling_mode_mean_tokens"] | ["mean"]:
                return "mean"
            case ["pooling_mode_cls_token"] | ["cls"]:
                return "cls"
            case ["pooling_mode_lasttoken"] | ["lasttoken"]:
                return "last"
            case modes:
                raise ModelStoreError(
                    f"Its pooling is {modes}; supported are mean, cls and lasttoken, one at a time"
                )

    def _modes(self) -> list[str]:
        match self.pooling_mode:
            case None:
                return [name for name in self.__struct_fields__ if getattr(self, name) is True]
            case str() as mode:
                return [mode]
            case modes:
                return modes


def is_sentence_model(folder: Path) -> bool:
    """Whether the folder says how to make one vector of a text."""
    return (folder / _MODULES).is_file()


def read_sentence_config(folder: Path, default: Pooling) -> SentenceConfig:
    """What the folder says, or `default` and length 1 if it says nothing.

    Raises:
        ModelStoreError: it asks for what is not supported.
    """
    if not is_sentence_model(folder):
        return SentenceConfig(default)
    modules = read_json(folder / _MODULES, list[_Module])
    if unknown := [module.kind for module in modules if module.kind not in _KNOWN]:
        raise ModelStoreError(f"It has a module {unknown[0]} after its encoder, which is not supported")
    paths = [folder / module.path for module in modules if module.kind == "Pooling"]
    pooling = read_json(paths[0] / "config.json", _PoolingFile).mode() if paths else default
    return SentenceConfig(pooling, any(module.kind == "Normalize" for module in modules))


def longest_input(folder: Path, positions: int) -> int:
    """Tokens of the longest text, special ones included; at most as many as the model has positions."""
    sentence = read_json_if_there(
        folder / "sentence_bert_config.json", _SentenceConfigFile, _SentenceConfigFile()
    )
    tokenizer = read_json_if_there(
        folder / "tokenizer_config.json", _TokenizerConfigFile, _TokenizerConfigFile()
    )
    said = sentence.max_seq_length or tokenizer.model_max_length or positions
    return min(positions, int(min(said, _LONGEST)))
