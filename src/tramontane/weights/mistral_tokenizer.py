"""Tokenizer files of Mistral's models (`tekken.json`, `tokenizer.model.v3`, …), read by `mistral-common`.

The library takes a second to import: that happens when there is such a file, not before.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tramontane.core.vocabulary import Vocabulary
from tramontane.errors import ModelStoreError

if TYPE_CHECKING:
    from mistral_common.tokens.tokenizers.base import Tokenized, Tokenizer
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    AnyMistralTokenizer = MistralTokenizer[Any, Any, Any, Any, Tokenized]

TEKKEN: Final = "tekken.json"
_SENTENCEPIECE: Final = re.compile(r".*\.model\.v(?P<version>\d+)(?:m\d+)?")
_BYTE_PIECE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, slots=True)
class MistralTokenizerFile:
    """A file that `mistral-common` can read, and what its tokens mean."""

    path: Path
    vocabulary: Vocabulary


def find_mistral_tokenizer(folder: Path) -> Path | None:
    """The tokenizer file in a model's folder; the newest version if there are several.

    `tokenizer.model` does not count: models of all vendors have a file of this name.
    """
    tekken = folder / TEKKEN
    if tekken.is_file():
        return tekken
    versions = {
        path: int(match["version"])
        for path in sorted(folder.glob("*.model.v*"))
        if (match := _SENTENCEPIECE.fullmatch(path.name))
    }
    return max(versions, key=versions.__getitem__, default=None)


def read_mistral_tokenizer(path: Path) -> MistralTokenizerFile:
    """The file `path`, checked by reading it whole.

    Raises:
        ModelStoreError: `mistral-common` cannot read it.
    """
    return MistralTokenizerFile(path, mistral_vocabulary(load_mistral_tokenizer(path)))


def load_mistral_tokenizer(path: Path) -> "AnyMistralTokenizer":
    """The library's own tokenizer, checking requests as for serving.

    Raises:
        ModelStoreError: it cannot read the file.
    """
    from mistral_common.protocol.instruct.validator import ValidationMode  # noqa: PLC0415 - slow
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer  # noqa: PLC0415 - slow

    try:
        return MistralTokenizer.from_file(path, mode=ValidationMode.serving)
    except Exception as error:  # the library asserts, and raises what its parsers raise
        raise ModelStoreError(f"{path.name} cannot be used: {str(error) or type(error).__name__}") from error


def mistral_vocabulary(
    tokenizer: "AnyMistralTokenizer", size: int = 0, stop_ids: Iterable[int] = ()
) -> Vocabulary:
    """What the token ids mean. `size` may be above their number, since models pad their vocabulary.

    `stop_ids` are those besides the tokenizer's own end of sequence. The unknown token counts as a control
    token: it stands for no text.
    """
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer  # noqa: PLC0415 - slow

    tokens = tokenizer.instruct_tokenizer.tokenizer
    special_ids = frozenset(tokens.special_ids) | {tokens.unk_id}
    if isinstance(tokens, Tekkenizer):
        token_bytes = [tokens.id_to_byte_piece(token_id) for token_id in range(tokens.n_words)]
    else:
        token_bytes = list(_sentencepiece_bytes(tokens, special_ids))
    token_bytes.extend(b"" for _ in range(size - len(token_bytes)))
    stop = frozenset({tokens.eos_id, *stop_ids})
    blank_before_text = not isinstance(tokens, Tekkenizer)
    return Vocabulary(token_bytes, special_ids | stop, stop, blank_before_text)


def _sentencepiece_bytes(tokens: "Tokenizer", special_ids: frozenset[int]) -> Iterator[bytes]:
    for token_id in range(tokens.n_words):
        piece = tokens.id_to_piece(token_id)
        if token_id in special_ids:
            yield b""
        elif byte := _BYTE_PIECE.fullmatch(piece):
            yield bytes([int(byte[1], 16)])
        else:
            yield piece.replace("▁", " ").encode()
