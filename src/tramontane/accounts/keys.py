"""API keys as texts: how they are made, recognised, stored and shown.

    tm_4fG0…30 random characters…9Qx1aB3c
    └┬┘└──────────────┬────────────┘└─┬──┘
    prefix   178 bits, base62         CRC32 of all before it, base62

By the checksum a server, or a scanner for leaked secrets, tells a key from a mistyped one without a database.
"""

import hashlib
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "tm_"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH: Final = 30
_CHECKSUM_LENGTH: Final = 6
_LENGTH: Final = len(PREFIX) + _RANDOM_LENGTH + _CHECKSUM_LENGTH


def generate_key() -> str:
    """A new key."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether `key` could have been made by `generate_key`."""
    if len(key) != _LENGTH or not key.startswith(PREFIX) or not key.isascii():
        return False
    body, checksum = key[:-_CHECKSUM_LENGTH], key[-_CHECKSUM_LENGTH:]
    return checksum == _checksum(body)


def digest(key: str) -> str:
    """What is stored of a key: its SHA-256 in hex. Nobody can guess 178 random bits, so it needs no salt."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def hint(key: str) -> str:
    """What is shown of a key once it has been shown in full."""
    return f"{PREFIX}…{key[-4:]}"


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode("ascii"))
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
