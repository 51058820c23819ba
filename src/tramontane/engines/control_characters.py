"""Control tokens in grammars, which the library knows as bytes of text only.

So each gets the bytes of a character that no text can spell: one of the last plane of Unicode, which is for
private use, and whose first byte in UTF-8 no other token may have. See `docs/decisions/0007`.
"""

from collections.abc import Collection, Sequence
from typing import Final

FIRST: Final = 0x100000
_LAST: Final = 0x10FFFF
_FIRST_BYTE: Final = b"\xf4"


def control_characters(control_ids: Collection[int]) -> dict[int, str]:
    """The character of each control token."""
    codes = range(FIRST, _LAST + 1)
    return {token: chr(code) for token, code in zip(sorted(set(control_ids)), codes, strict=False)}


def grammar_bytes(token_bytes: Sequence[bytes], control_ids: Collection[int]) -> list[bytes]:
    """What each token is in a grammar. A token without bytes is never chosen."""
    spelled, silent = control_characters(control_ids), frozenset(control_ids)
    return [
        spelled.get(token, "").encode() if token in silent else b"" if _FIRST_BYTE in text else text
        for token, text in enumerate(token_bytes)
    ]
