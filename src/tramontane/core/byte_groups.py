"""The vocabulary of the fake embedding engine: a token four bytes of UTF-8, about as many as a model's has.

With a token a byte, a text would reach the limits of the API four times too early.
"""

from collections.abc import Iterable
from typing import Final

GROUP_BYTES: Final = 4
TEXT_START: Final = 0
"""Stands before every text, and for no bytes."""
_LENGTH_SHIFT: Final = 8 * GROUP_BYTES
BYTE_GROUPS: Final = (GROUP_BYTES + 1) << _LENGTH_SHIFT
"""Size of the vocabulary: an id holds the bytes of a group, and above them their number."""


def groups_of(data: bytes) -> list[int]:
    """The ids of `data`; its last group may be a short one."""
    return [_id(data[start : start + GROUP_BYTES]) for start in range(0, len(data), GROUP_BYTES)]


def bytes_of(token_ids: Iterable[int]) -> bytes:
    """What `groups_of` was given."""
    mask = (1 << _LENGTH_SHIFT) - 1
    return b"".join(
        (token_id & mask).to_bytes(GROUP_BYTES, "little")[: token_id >> _LENGTH_SHIFT]
        for token_id in token_ids
    )


def _id(group: bytes) -> int:
    return len(group) << _LENGTH_SHIFT | int.from_bytes(group, "little")
