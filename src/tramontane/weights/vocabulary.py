"""The bytes behind each token, read from a `tokenizer.json`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from tramontane.core.vocabulary import Vocabulary
from tramontane.errors import ModelStoreError

_BYTE_TOKEN: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class _AddedToken(msgspec.Struct):
    id: int
    content: str


class _Model(msgspec.Struct):
    type: str | None = None
    vocab: Any = None


class _TokenizerFile(msgspec.Struct):
    """The parts of the file that are needed here."""

    model: _Model
    decoder: dict[str, Any] | None = None
    added_tokens: list[_AddedToken] = []


def read_vocabulary(
    path: Path, size: int, special_ids: frozenset[int], stop_ids: frozenset[int]
) -> Vocabulary:
    """The vocabulary of a BPE tokenizer: byte-level (GPT-2's kind) or with byte fallback (SentencePiece's).

    `size` may be above the number of tokens: models pad their vocabulary, and what is padded has no bytes.

    Raises:
        ModelStoreError: the file cannot be read, or holds a tokenizer of another kind.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_TokenizerFile)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelStoreError(f"Cannot read the tokenizer {path}: {error}") from error
    if file.model.type != "BPE" or not isinstance(file.model.vocab, dict):
        raise ModelStoreError(f"The tokenizer {path} is {file.model.type}; text can be made of BPE only")
    to_bytes = _byte_level if "ByteLevel" in _types(file.decoder) else _byte_fallback
    texts: Mapping[str, int] = file.model.vocab
    highest = max((*texts.values(), *(token.id for token in file.added_tokens), size - 1))
    token_bytes = [b""] * (highest + 1)
    for text, token_id in texts.items():
        token_bytes[token_id] = to_bytes(text)
    for token in file.added_tokens:
        token_bytes[token.id] = token.content.encode()
    return Vocabulary(token_bytes, special_ids | stop_ids, stop_ids, "Strip" in _types(file.decoder))


def _types(decoder: Mapping[str, Any] | None) -> set[str]:
    """The kinds of a decoder and of those that it is made of."""
    if decoder is None:
        return set()
    return {decoder.get("type", "")}.union(*map(_types, decoder.get("decoders", ())))


def _alphabet() -> dict[str, int]:
    """How byte-level BPE writes the 256 bytes: printable ones as they are, others from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


_ALPHABET: Final = _alphabet()


def _byte_level(text: str) -> bytes:
    # A token with a character outside the alphabet cannot come out of the merges: it was added as plain text.
    if all(character in _ALPHABET for character in text):
        return bytes(map(_ALPHABET.__getitem__, text))
    return text.encode()


def _byte_fallback(text: str) -> bytes:
    if match := _BYTE_TOKEN.fullmatch(text):
        return bytes([int(match[1], 16)])
    return text.replace("▁", " ").encode()
