"""Token ids → text, as they come."""

import codecs
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
        self._silent_ids = vocabulary.special_ids.difference(spoken_ids)
        self._drops_blank = drops_blank
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token_ids: Iterable[int]) -> str:
        """The characters that `token_ids` complete."""
        pieces = (self._token_bytes[i] for i in token_ids if i not in self._silent_ids)
        text = self._decoder.decode(b"".join(pieces))
        if text and self._drops_blank:
            self._drops_blank = False
            return text.removeprefix(" ")
        return text

    def flush(self) -> str:
        """What is left at the end: nothing, or U+FFFD for half a character."""
        return self._decoder.decode(b"", final=True)
