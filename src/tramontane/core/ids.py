"""Identifiers."""

import os
import secrets
import string
import time
import uuid
from typing import Final

TOOL_CALL_ID_LENGTH: Final = 9
_LETTERS: Final = string.ascii_letters + string.digits


def new_request_id() -> str:
    """32 lowercase hex digits, as the hosted API names its answers."""
    return uuid.uuid4().hex


def new_tool_call_id() -> str:
    """9 letters and digits, the only form of ids that the hosted API takes back."""
    return "".join(secrets.choice(_LETTERS) for _ in range(TOOL_CALL_ID_LENGTH))


def is_tool_call_id(text: str) -> bool:
    """Whether it has that form."""
    return len(text) == TOOL_CALL_ID_LENGTH and text.isascii() and text.isalnum()


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | (random >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF
    return uuid.UUID(int=value)
