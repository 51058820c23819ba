"""What token ids mean, as plain data that prompts, parsing and engines can share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The bytes behind each token id.

    `token_bytes[i]` are the bytes that token `i` adds to a text; control tokens (`special_ids`) add none,
    whatever is written there. A character may span several tokens.
    """

    token_bytes: Sequence[bytes]
    special_ids: frozenset[int] = field(default_factory=frozenset)
    stop_ids: frozenset[int] = field(default_factory=frozenset)
    """End of sequence and end of turn."""
    blank_before_text: bool = False
    """The first token of a text has a blank in front that the text has not: SentencePiece puts it there."""

    def __len__(self) -> int:
        return len(self.token_bytes)


TURN_START: Final = 256
TURN_END: Final = 257
BYTE_VOCABULARY: Final = Vocabulary(
    token_bytes=[bytes([value]) for value in range(256)] + [b"<|im_start|>", b"<|im_end|>"],
    special_ids=frozenset({TURN_START, TURN_END}),
    stop_ids=frozenset({TURN_END}),
)
"""The vocabulary of the fake engine: a token a byte of UTF-8, and two control tokens around a turn."""
