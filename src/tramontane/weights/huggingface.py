"""A Hugging Face folder as a `SourceModel`: config.json, safetensors and a tokenizer."""

from collections import Counter
from math import prod
from pathlib import Path

import msgspec
from tokenizers import Tokenizer

from tramontane.errors import ModelStoreError
from tramontane.weights import huggingface_decoder, huggingface_encoder
from tramontane.weights.json_file import read_json, read_json_if_there
from tramontane.weights.mistral_tokenizer import (
    MistralTokenizerFile,
    find_mistral_tokenizer,
    read_mistral_tokenizer,
)
from tramontane.weights.model import SourceModel
from tramontane.weights.safetensors import SafetensorsFolder
from tramontane.weights.token_roles import stop_token_ids


class _ConfigFile(msgspec.Struct, kw_only=True):
    model_type: str
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    quantization_config: dict[str, object] | None = None


class _GenerationConfigFile(msgspec.Struct, kw_only=True):
    eos_token_id: int | list[int] | None = None


class _NamedTemplate(msgspec.Struct):
    name: str
    template: str


class _TokenizerConfigFile(msgspec.Struct, kw_only=True):
    add_bos_token: bool | None = None
    chat_template: str | list[_NamedTemplate] | None = None


def read_huggingface_model(folder: Path) -> SourceModel:
    """The model in `folder`.

    Raises:
        ModelStoreError: it is damaged or incomplete, or needs what is not supported.
    """
    file = read_json(folder / "config.json", _ConfigFile)
    if file.quantization_config is not None:
        raise ModelStoreError("Its weights are quantised; supported in safetensors are F32, F16 and BF16")
    if file.model_type in huggingface_decoder.ARCHITECTURES:
        return _decoder(folder, file)
    if file.model_type in huggingface_encoder.ARCHITECTURES:
        return _encoder(folder)
    supported = ", ".join(huggingface_decoder.ARCHITECTURES + huggingface_encoder.ARCHITECTURES)
    raise ModelStoreError(f'Its model_type is "{file.model_type}"; supported are {supported}')


def _decoder(folder: Path, file: _ConfigFile) -> SourceModel:
    tensors = SafetensorsFolder(folder)
    mistral_tokenizer = find_mistral_tokenizer(folder)
    tokenizer = read_mistral_tokenizer(mistral_tokenizer) if mistral_tokenizer else _tokenizer(folder)
    settings = read_json_if_there(
        folder / "tokenizer_config.json", _TokenizerConfigFile, _TokenizerConfigFile()
    )
    generation = read_json_if_there(
        folder / "generation_config.json", _GenerationConfigFile, _GenerationConfigFile()
    )
    ends = _as_list(file.eos_token_id) + _as_list(generation.eos_token_id)
    return SourceModel(
        config=huggingface_decoder.read_decoder_config(
            folder / "config.json", has_output="lm_head.weight" in tensors.names
        ),
        tensors=tensors,
        quantization=_quantization(tensors),
        tokenizer=tokenizer,
        chat_template=_chat_template(folder, settings),
        bos_token_id=_begin(file, settings, tokenizer),
        stop_token_ids=stop_token_ids(tokenizer, ends),
    )


def _encoder(folder: Path) -> SourceModel:
    tensors = SafetensorsFolder(folder)
    return SourceModel(
        config=huggingface_encoder.read_encoder_config(folder),
        tensors=tensors,
        quantization=_quantization(tensors),
        tokenizer=_tokenizer(folder),
    )


def _tokenizer(folder: Path) -> Tokenizer:
    """The folder's tokenizer, which neither cuts nor pads: that is for who makes the batches."""
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:
        raise ModelStoreError(f"{path.name} cannot be used: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _begin(
    file: _ConfigFile, settings: _TokenizerConfigFile, tokenizer: Tokenizer | MistralTokenizerFile
) -> int | None:
    """The token that the model wants in front of every prompt; a Mistral tokenizer sees to that by itself."""
    if isinstance(tokenizer, MistralTokenizerFile):
        return None
    begin = file.bos_token_id
    wants_begin = settings.add_bos_token or tokenizer.encode("").ids[:1] == [begin]
    return begin if wants_begin else None


def _chat_template(folder: Path, settings: _TokenizerConfigFile) -> str | None:
    path = folder / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    match settings.chat_template:
        case list() as templates:
            return next((named.template for named in templates if named.name == "default"), None)
        case template:
            return template


def _quantization(tensors: SafetensorsFolder) -> str:
    """The dtype of most elements."""
    elements: Counter[str] = Counter()
    for name in tensors.names:
        shape, dtype = tensors.describe(name)
        elements[dtype.lower()] += prod(shape)
    return elements.most_common(1)[0][0]


def _as_list(ids: int | list[int] | None) -> list[int]:
    match ids:
        case None:
            return []
        case int():
            return [ids]
        case _:
            return ids
