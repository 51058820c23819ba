"""The text side of a model whose weights an engine loads by itself: an artifact without a graph.

    <cache_dir>/artifacts/<name>-text-<key>/
        model.json, tokenizer, chat template     as in every artifact
        grammar_tokens                           what each token is in a grammar

It is small and quickly made: every start makes it anew, unless what it is made of is the same.
"""

import hashlib
import re
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final, Protocol

import msgspec

from tramontane.errors import ModelStoreError
from tramontane.weights.artifact import (
    CHAT_TEMPLATE,
    MANIFEST,
    TOKENIZER,
    Artifact,
    ArtifactManifest,
    read_artifact,
)
from tramontane.weights.huggingface_text import TextSide, read_text_side
from tramontane.weights.json_file import read_json
from tramontane.weights.mistral_model import CONTEXT, PARAMS
from tramontane.weights.mistral_tokenizer import (
    MistralTokenizerFile,
    find_mistral_tokenizer,
    read_mistral_tokenizer,
)
from tramontane.weights.text_files import mistral_tokenizer_name, write_tokenizer
from tramontane.weights.token_roles import special_token_ids, stop_token_ids
from tramontane.weights.vocabulary import read_vocabulary

GRAMMAR_TOKENS: Final = "grammar_tokens"
_FORMAT: Final = 1
"""Raised with every change of what is written."""
_READ_FILES: Final = ("*.json", "*.jinja", "*.model.v*")


class WriteGrammarTokens(Protocol):
    """Writes what each token is in a grammar, for the engine that will read it."""

    def __call__(
        self,
        path: Path,
        token_bytes: Sequence[bytes],
        control_ids: Collection[int],
        stop_ids: Collection[int],
    ) -> None:
        """Write the file `path`."""
        ...


class _Sizes(msgspec.Struct, kw_only=True):
    """What Hugging Face's config.json says of any decoder."""

    model_type: str = "unknown"
    vocab_size: int | None = None
    max_position_embeddings: int | None = None
    num_hidden_layers: int = 0
    num_attention_heads: int = 0
    num_key_value_heads: int | None = None
    hidden_size: int = 0
    head_dim: int | None = None
    quantization_config: dict[str, Any] | None = None


class _ConfigFile(_Sizes, kw_only=True):
    text_config: _Sizes | None = None


class _ParamsFile(msgspec.Struct, kw_only=True):
    """What Mistral's params.json says of any decoder."""

    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int | None = None
    head_dim: int | None = None
    vocab_size: int | None = None
    max_position_embeddings: int | None = None
    max_seq_len: int | None = None


def make_text_artifact(source: Path, cache_dir: Path, write_grammar_tokens: WriteGrammarTokens) -> Artifact:
    """The text side of the model in the folder `source`, in Hugging Face's format or in Mistral's.

    Raises:
        ModelStoreError: it is no such folder, a file is damaged or missing, or the cache cannot be written.
    """
    if not source.is_dir():
        raise ModelStoreError(f"{source} is a file; this engine loads folders with safetensors")
    try:
        path = _path(source, cache_dir)
        if not (path / MANIFEST).is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(mkdtemp(prefix=f".{path.name}-", dir=path.parent))
            try:
                _write(source, partial, write_grammar_tokens)
                with suppress(FileExistsError):  # another process was faster
                    partial.rename(path)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise ModelStoreError(f"{source} cannot be prepared: {error}") from error
    return read_artifact(path)


def _path(source: Path, cache_dir: Path) -> Path:
    files = sorted(file for pattern in _READ_FILES for file in source.glob(pattern))
    digest = hashlib.sha256(f"{_FORMAT} {source.resolve()}".encode())
    for file in files:
        stat = file.stat()
        digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", source.name).strip(".-")[:64]
    return cache_dir.absolute() / "artifacts" / f"{readable or 'model'}-text-{digest.hexdigest()[:16]}"


def _write(source: Path, folder: Path, write_grammar_tokens: WriteGrammarTokens) -> None:
    in_mistral_format = (source / PARAMS).is_file() and not (source / "config.json").is_file()
    manifest, text = _mistral(source) if in_mistral_format else _huggingface(source)
    write_tokenizer(text.tokenizer, folder)
    if text.chat_template is not None:
        (folder / CHAT_TEMPLATE).write_text(text.chat_template, encoding="utf-8")
    special_ids, stop_ids = frozenset(manifest.special_token_ids), frozenset(manifest.stop_token_ids)
    match text.tokenizer:
        case MistralTokenizerFile(_, vocabulary):
            pass
        case _:
            vocabulary = read_vocabulary(folder / TOKENIZER, manifest.vocabulary_size, special_ids, stop_ids)
    write_grammar_tokens(folder / GRAMMAR_TOKENS, vocabulary.token_bytes, special_ids | stop_ids, stop_ids)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))


def _huggingface(source: Path) -> tuple[ArtifactManifest, TextSide]:
    file = read_json(source / "config.json", _ConfigFile)
    sizes = file.text_config or file
    text = read_text_side(source)
    heads = max(sizes.num_attention_heads, 1)
    quantization = (file.quantization_config or {}).get("quant_method", "none")
    return ArtifactManifest(
        task="generate",
        architecture=file.model_type,
        source=source.name,
        quantization=str(quantization),
        vocabulary_size=sizes.vocab_size or file.vocab_size or _tokens(text),
        max_context_length=sizes.max_position_embeddings or file.max_position_embeddings or CONTEXT,
        layers=sizes.num_hidden_layers,
        kv_heads=sizes.num_key_value_heads or sizes.num_attention_heads,
        head_size=sizes.head_dim or sizes.hidden_size // heads,
        bos_token_id=text.bos_token_id,
        stop_token_ids=text.stop_token_ids,
        special_token_ids=special_token_ids(text.tokenizer),
        mistral_tokenizer=mistral_tokenizer_name(text.tokenizer),
    ), text


def _mistral(source: Path) -> tuple[ArtifactManifest, TextSide]:
    params = read_json(source / PARAMS, _ParamsFile)
    path = find_mistral_tokenizer(source)
    if path is None:
        raise ModelStoreError("It has no tokenizer: tekken.json or tokenizer.model.v1, v2, v3 … is missing")
    tokenizer = read_mistral_tokenizer(path)
    text = TextSide(tokenizer, None, None, stop_token_ids(tokenizer, ()))
    return ArtifactManifest(
        task="generate",
        architecture="mistral",
        source=source.name,
        quantization="none",
        vocabulary_size=params.vocab_size or _tokens(text),
        max_context_length=params.max_seq_len or params.max_position_embeddings or CONTEXT,
        layers=params.n_layers,
        kv_heads=params.n_kv_heads or params.n_heads,
        head_size=params.head_dim or params.dim // max(params.n_heads, 1),
        stop_token_ids=text.stop_token_ids,
        special_token_ids=special_token_ids(tokenizer),
        mistral_tokenizer=path.name,
    ), text


def _tokens(text: TextSide) -> int:
    match text.tokenizer:
        case MistralTokenizerFile(_, vocabulary):
            return len(vocabulary)
        case tokenizer:
            return tokenizer.get_vocab_size(with_added_tokens=True)
