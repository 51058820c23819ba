"""The text side of a model alone, for engines that have its weights elsewhere.

    <cache_dir>/text/<key>/    an artifact without a graph: manifest, tokenizer, chat template

Written anew where the files have changed; never while another process reads it, since it appears by a rename.
"""

import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

import msgspec
from tokenizers import Tokenizer

from tramontane.errors import ModelStoreError
from tramontane.weights.artifact import (
    CHAT_TEMPLATE,
    MANIFEST,
    MISTRAL_TOKENIZER,
    TOKENIZER,
    Artifact,
    ArtifactManifest,
    read_artifact,
)
from tramontane.weights.gguf_model import read_gguf_model
from tramontane.weights.huggingface_text import TextSide, read_text_side
from tramontane.weights.json_file import read_json
from tramontane.weights.mistral_model import PARAMS
from tramontane.weights.mistral_tokenizer import (
    MistralTokenizerFile,
    find_mistral_tokenizer,
    read_mistral_tokenizer,
)
from tramontane.weights.token_roles import special_token_ids, stop_token_ids

_FORMAT: Final = "1"
_ANY_LENGTH: Final = 1 << 24
"""Tokens, where the files say nothing: the server does."""


class _Text(msgspec.Struct, kw_only=True):
    vocab_size: int | None = None
    max_position_embeddings: int | None = None


class _ConfigFile(_Text, kw_only=True):
    text_config: _Text | None = None


class _Params(msgspec.Struct, kw_only=True):
    max_position_embeddings: int | None = None
    max_seq_len: int | None = None


def read_text_artifact(source: Path, cache_dir: Path) -> Artifact:
    """What the files at `source`, a folder or a GGUF file, say of text. Weights need not be there.

    Raises:
        ModelStoreError: there is no tokenizer, or it cannot be used.
    """
    path = cache_dir.absolute() / "text" / _key(source)
    try:
        return read_artifact(path)
    except ModelStoreError:
        pass
    try:
        side, size, length = _read(source)
    except ModelStoreError as error:
        raise ModelStoreError(f"{source} has no text side that can be used: {error}") from error
    manifest = ArtifactManifest(
        task="generate",
        architecture="",
        source=source.name,
        quantization="",
        vocabulary_size=size,
        max_context_length=length,
        layers=0,
        bos_token_id=side.bos_token_id,
        stop_token_ids=side.stop_token_ids,
        special_token_ids=special_token_ids(side.tokenizer),
        mistral_tokenizer=side.tokenizer.path.name
        if isinstance(side.tokenizer, MistralTokenizerFile)
        else None,
    )
    try:
        _write(side, manifest, path)
    except OSError as error:
        raise ModelStoreError(f"{path} cannot be written: {error}") from error
    return read_artifact(path)


def _read(source: Path) -> tuple[TextSide, int, int]:
    """The text side, the size of the vocabulary and the longest context."""
    if not source.is_dir():
        model = read_gguf_model(source)
        side = TextSide(model.tokenizer, model.chat_template, model.bos_token_id, model.stop_token_ids)
        return side, model.config.vocabulary_size, model.config.max_context_length
    if (source / "config.json").is_file():
        side, file = read_text_side(source), read_json(source / "config.json", _ConfigFile)
        text = file.text_config or file
        size = text.vocab_size or file.vocab_size or 0
        return side, max(size, _length(side.tokenizer)), text.max_position_embeddings or _ANY_LENGTH
    path = find_mistral_tokenizer(source)
    if path is None:
        raise ModelStoreError("there is neither config.json nor a Mistral tokenizer")
    tokenizer = read_mistral_tokenizer(path)
    params = read_json(source / PARAMS, _Params) if (source / PARAMS).is_file() else _Params()
    length = params.max_position_embeddings or params.max_seq_len or _ANY_LENGTH
    side = TextSide(tokenizer, None, None, stop_token_ids(tokenizer, ()))
    return side, _length(tokenizer), length


def _length(tokenizer: Tokenizer | MistralTokenizerFile) -> int:
    if isinstance(tokenizer, MistralTokenizerFile):
        return len(tokenizer.vocabulary)
    return max(tokenizer.get_vocab().values(), default=-1) + 1


def _write(side: TextSide, manifest: ArtifactManifest, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=".writing-"))
    try:
        match side.tokenizer:
            case MistralTokenizerFile(file):
                (folder / MISTRAL_TOKENIZER).mkdir()
                shutil.copyfile(file, folder / MISTRAL_TOKENIZER / file.name)
            case tokenizer:
                tokenizer.save(str(folder / TOKENIZER), pretty=False)
        if side.chat_template is not None:
            (folder / CHAT_TEMPLATE).write_text(side.chat_template, encoding="utf-8")
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        if not path.exists():
            folder.rename(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _key(source: Path) -> str:
    """Of the files' names, sizes and times of change."""
    files = sorted(source.glob("*")) if source.is_dir() else [source]
    try:
        said = [f"{file}|{file.stat().st_size}|{file.stat().st_mtime_ns}" for file in files if file.is_file()]
    except OSError as error:
        raise ModelStoreError(f"{source} cannot be read: {error}") from error
    digest = hashlib.sha256("\n".join([_FORMAT, *said]).encode(errors="replace")).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", source.stem).strip(".-")[:64]
    return f"{readable or 'model'}-{digest[:16]}"
