"""Text from strangers, made fit for a terminal."""

import re
from typing import Final

# Control characters but for newline and tab, lone surrogates, and what turns the direction of writing around.
_UNSAFE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""`text`, with all that could command a terminal written as an escape: "\x1b[2J" becomes "\\x1b[2J"."""
    return _UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)
