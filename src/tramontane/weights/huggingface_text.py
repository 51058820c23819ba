"""The text side of a Hugging Face folder: its tokenizer, and what stands around a text."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import msgspec
from tokenizers import Tokenizer, processors

from tramontane.errors import ModelStoreError
from tramontane.weights.json_file import read_json, read_json_if_there
from tramontane.weights.mistral_tokenizer import (
    MistralTokenizerFile,
    find_mistral_tokenizer,
    read_mistral_tokenizer,
)
from tramontane.weights.token_roles import stop_token_ids


class _TokenIds(msgspec.Struct, kw_only=True):
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None


class _ConfigFile(_TokenIds, kw_only=True):
    text_config: _TokenIds | None = None


class _GenerationConfigFile(msgspec.Struct, kw_only=True):
    eos_token_id: int | list[int] | None = None


class _NamedTemplate(msgspec.Struct):
    name: str
    template: str


class _TokenizerConfigFile(msgspec.Struct, kw_only=True):
    add_bos_token: bool | None = None
    add_eos_token: bool | None = None
    chat_template: str | list[_NamedTemplate] | None = None


@dataclass(frozen=True, slots=True)
class TextSide:
    """What stands between a decoder and text; see `SourceModel`."""

    tokenizer: Tokenizer | MistralTokenizerFile
    chat_template: str | None
    bos_token_id: int | None
    stop_token_ids: tuple[int, ...]


def read_text_side(folder: Path) -> TextSide:
    """The tokenizer of the decoder in `folder`, and what its files say of it.

    Raises:
        ModelStoreError: a file is damaged or missing.
    """
    file = read_json(folder / "config.json", _ConfigFile)
    mistral_tokenizer = find_mistral_tokenizer(folder)
    tokenizer = read_mistral_tokenizer(mistral_tokenizer) if mistral_tokenizer else read_tokenizer(folder)
    settings = read_json_if_there(
        folder / "tokenizer_config.json", _TokenizerConfigFile, _TokenizerConfigFile()
    )
    generation = read_json_if_there(
        folder / "generation_config.json", _GenerationConfigFile, _GenerationConfigFile()
    )
    text = file.text_config or _TokenIds()
    ends = map(_as_list, (file.eos_token_id, text.eos_token_id, generation.eos_token_id))
    return TextSide(
        tokenizer=tokenizer,
        chat_template=_chat_template(folder, settings),
        bos_token_id=_begin(file.bos_token_id or text.bos_token_id, settings, tokenizer),
        stop_token_ids=stop_token_ids(tokenizer, chain.from_iterable(ends)),
    )


def read_embedding_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of an embedding model, with the tokens around a text that its settings ask for.

    Raises:
        ModelStoreError: it is damaged or missing, or lacks these tokens.
    """
    tokenizer = read_tokenizer(folder)
    file = read_json(folder / "config.json", _ConfigFile)
    settings = read_json_if_there(
        folder / "tokenizer_config.json", _TokenizerConfigFile, _TokenizerConfigFile()
    )
    around = tokenizer.encode("").ids
    begin = _as_list(file.bos_token_id) if settings.add_bos_token else []
    end = _as_list(file.eos_token_id)[:1] if settings.add_eos_token else []
    if around[: len(begin)] == begin and (not end or around[-1:] == end):
        return tokenizer
    tokens = {token_id: tokenizer.id_to_token(token_id) for token_id in (*begin, *end)}
    if len(tokens) < len(begin) + len(end) or None in tokens.values():
        raise ModelStoreError("Its tokenizer lacks the tokens that are to stand around a text")
    single = [*(tokens[token_id] for token_id in begin), "$A", *(tokens[token_id] for token_id in end)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(token, token_id) for token_id, token in tokens.items()]
    )
    return tokenizer


def read_tokenizer(folder: Path) -> Tokenizer:
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
    begin: int | None, settings: _TokenizerConfigFile, tokenizer: Tokenizer | MistralTokenizerFile
) -> int | None:
    """The token that the model wants in front of every prompt; a Mistral tokenizer sees to that by itself."""
    if isinstance(tokenizer, MistralTokenizerFile):
        return None
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


def _as_list(ids: int | list[int] | None) -> list[int]:
    match ids:
        case None:
            return []
        case int():
            return [ids]
        case _:
            return ids
