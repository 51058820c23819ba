"""Text to token ids.

Encoding is pure and may run in a thread: the interpreter lock is free while the `tokenizers` library works.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

import tokenizers

from tramontane.core.byte_groups import TEXT_START, groups_of
from tramontane.core.vocabulary import BYTE_VOCABULARY, Vocabulary
from tramontane.errors import ModelStoreError
from tramontane.prompts.control import ControlTokens, Veil
from tramontane.weights.artifact import Artifact
from tramontane.weights.vocabulary import read_vocabulary


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Inputs of an embedding model, with the special tokens that its tokenizer puts around them."""

    token_ids: Sequence[Sequence[int]]
    """At most the asked-for length each."""
    lengths: Sequence[int]
    """Tokens of each input before it was cut."""

    @property
    def truncated(self) -> int:
        """How many inputs were cut."""
        return sum(length > len(ids) for length, ids in zip(self.lengths, self.token_ids, strict=True))


class InputTokenizer(Protocol):
    """The tokenizer of an embedding model."""

    def encode_batch(self, texts: Sequence[str], max_length: int) -> EncodedBatch:
        """Each text with its special tokens, cut to `max_length` within these."""
        ...


class Tokenizer(Protocol):
    """The tokenizer of a model that generates."""

    @property
    def vocabulary(self) -> Vocabulary:
        """What the ids mean; raises ModelStoreError if this tokenizer cannot make text of them."""
        ...

    @property
    def control(self) -> ControlTokens:
        """The control tokens that a template may write."""
        ...

    def token_id(self, text: str) -> int | None:
        """The token that is written as `text`, if there is one."""
        ...

    @property
    def longest_token(self) -> int:
        """Bytes of the longest token: a text of `n` characters has at least `n / longest_token` tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """`text` and nothing else: no control token, whatever is written in it, and none around it."""
        ...

    def encode_rendered(self, rendered: str, veil: Veil) -> list[int]:
        """What a template made of texts under `veil`: only control tokens that the template wrote count."""
        ...


class HuggingFaceTokenizer:
    """A `tokenizer.json` in the format of the `tokenizers` library."""

    def __init__(
        self,
        path: Path,
        vocabulary_size: int,
        special_ids: Iterable[int] = (),
        stop_ids: Iterable[int] = (),
    ) -> None:
        self._path = path
        self._vocabulary_size = vocabulary_size
        self._stop_ids = frozenset(stop_ids)
        self._tokenizer = _load(path)
        added = self._tokenizer.get_added_tokens_decoder()
        self._special_ids = frozenset(special_ids) | {i for i, token in added.items() if token.special}
        self.control = ControlTokens({token.content: i for i, token in added.items() if token.special})

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> "HuggingFaceTokenizer":
        """The tokenizer of a converted model.

        Raises:
            ModelStoreError: its file cannot be read.
        """
        manifest = artifact.manifest
        return cls(
            artifact.tokenizer, manifest.vocabulary_size, manifest.special_token_ids, manifest.stop_token_ids
        )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What the ids mean."""
        return read_vocabulary(self._path, self._vocabulary_size, self._special_ids, self._stop_ids)

    @cached_property
    def longest_token(self) -> int:
        """Bytes of the longest token."""
        return max(map(len, self.vocabulary.token_bytes))

    def token_id(self, text: str) -> int | None:
        """The token that is written as `text`, if there is one."""
        return self._tokenizer.token_to_id(text)

    def encode(self, text: str) -> list[int]:
        """`text` and nothing else."""
        return _ids(self._literal if self.control.are_in(text) else self._tokenizer, text)

    def encode_rendered(self, rendered: str, veil: Veil) -> list[int]:
        """One string with its control tokens parsed, as models are trained; in pieces only under a veil."""
        if not veil:
            return _ids(self._tokenizer, rendered)
        ids: list[int] = []
        for piece in self.control.split(rendered):
            match piece:
                case int():
                    ids.append(piece)
                case str():
                    ids.extend(_ids(self._literal, veil.lift(piece)))
        return ids

    def encode_batch(self, texts: Sequence[str], max_length: int) -> EncodedBatch:
        """As the reference does it: control tokens in a text are parsed, there being no one to deceive."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return EncodedBatch(
            token_ids=[_cut(encoding, max_length) for encoding in encodings],
            lengths=[len(encoding.ids) for encoding in encodings],
        )

    @cached_property
    def _literal(self) -> tokenizers.Tokenizer:
        """The same tokenizer, blind to control tokens. Rarely needed, hence loaded late."""
        tokenizer = _load(self._path)
        tokenizer.encode_special_tokens = True
        return tokenizer


class ByteTokenizer:
    """A token a byte: the tokenizer of the fake engine."""

    vocabulary: Final = BYTE_VOCABULARY
    longest_token: Final = 1
    control: Final = ControlTokens(
        {BYTE_VOCABULARY.token_bytes[i].decode(): i for i in BYTE_VOCABULARY.special_ids}
    )

    def token_id(self, text: str) -> int | None:
        """The token that is written as `text`, if there is one."""
        return self.control.ids.get(text)

    def encode(self, text: str) -> list[int]:
        """The bytes of `text`."""
        return list(text.encode())

    def encode_rendered(self, rendered: str, veil: Veil) -> list[int]:
        """Bytes, and the control tokens that the template wrote."""
        ids: list[int] = []
        for piece in self.control.split(rendered):
            match piece:
                case int():
                    ids.append(piece)
                case str():
                    ids.extend(veil.lift(piece).encode())
        return ids


class ByteGroupTokenizer:
    """A token four bytes: the tokenizer of the fake embedding engine."""

    def encode_batch(self, texts: Sequence[str], max_length: int) -> EncodedBatch:
        """The groups of each text behind a token that starts it, so that none is empty."""
        encoded = [[TEXT_START, *groups_of(text.encode())] for text in texts]
        return EncodedBatch(
            token_ids=[token_ids[:max_length] for token_ids in encoded], lengths=list(map(len, encoded))
        )


def _load(path: Path) -> tokenizers.Tokenizer:
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise ModelStoreError(f"Cannot read the tokenizer {path}: {error}") from error
    # Files of embedding models often pad and cut all inputs to one length.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _ids(tokenizer: tokenizers.Tokenizer, text: str) -> list[int]:
    """The ids of `text` alone. A batch of one, because the library's `encode` keeps the interpreter lock."""
    return tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids


def _cut(encoding: tokenizers.Encoding, max_length: int) -> list[int]:
    """The ids, shortened before the special tokens that end them."""
    ids, special = encoding.ids, encoding.special_tokens_mask
    if len(ids) <= max_length:
        return ids
    ending = next((i for i, is_special in enumerate(reversed(special)) if not is_special), 0)
    return ids[: max_length - ending] + ids[len(ids) - ending :]
