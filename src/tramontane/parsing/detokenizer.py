"""Token ids → text, as they come."""

from codecs import utf_8_decode
from collections.abc import Collection, Iterable

from tramontane.core.vocabulary import Vocabulary


class Detokenizer:
    """Makes text of one sequence of token ids; control tokens add nothing to it.

    However the ids are split over calls, all texts together are the bytes of all tokens read as UTF-8, with
    U+FFFD for what is not UTF-8. A character that is not complete yet is held back.

    Args:
        vocabulary: of the model.
        spoken_ids: control tokens that are text all the same.
        drops_blank: if the text begins with a blank, that is not part of it.
    """

    def __init__(
        self, vocabulary: Vocabulary, spoken_ids: Collection[int] = (), *, drops_blank: bool = False
    ) -> None:
        self._token_bytes = vocabulary.token_bytes
        self._silent_ids = vocabulary.special_ids
        if spoken_ids:
            self._silent_ids = self._silent_ids.difference(spoken_ids)
        self._drops_blank = drops_blank
        self._held = b""
        """The beginning of a character."""

    def feed(self, token_ids: Iterable[int]) -> str:
        """The characters that `token_ids` complete."""
        token_bytes, silent_ids = self._token_bytes, self._silent_ids
        text = self._decode(b"".join([token_bytes[i] for i in token_ids if i not in silent_ids]))
        if text and self._drops_blank:
            self._drops_blank = False
            return text.removeprefix(" ")
        return text

    def flush(self) -> str:
        """What is left at the end: nothing, or U+FFFD for half a character."""
        return self._decode(b"", final=True)

    def _decode(self, data: bytes, *, final: bool = False) -> str:
        data = self._held + data
        text, consumed = utf_8_decode(data, "replace", final)
        self._held = data[consumed:]
        return text
