"""Keys as texts: how they are made, recognised, stored and shown.

    tm_4fG0…30 random characters…9Qx1aB3c      an API key
    └┬┘└──────────────┬────────────┘└─┬──┘
    prefix   178 bits, base62         CRC32 of all before it, base62

    tma_…                                      an admin key, made alike

By the checksum a server, or a scanner for leaked secrets, tells a key from a mistyped one without a database.
"""

import hashlib
import secrets
import string
import zlib
from typing import Final

API_PREFIX: Final = "tm_"
ADMIN_PREFIX: Final = "tma_"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH: Final = 30
_CHECKSUM_LENGTH: Final = 6


def generate_key(prefix: str = API_PREFIX) -> str:
    """A new key."""
    body = prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def is_well_formed(key: str, prefix: str = API_PREFIX) -> bool:
    """Whether `key` could have been made by `generate_key(prefix)`."""
    length = len(prefix) + _RANDOM_LENGTH + _CHECKSUM_LENGTH
    if len(key) != length or not key.startswith(prefix) or not key.isascii():
        return False
    body, checksum = key[:-_CHECKSUM_LENGTH], key[-_CHECKSUM_LENGTH:]
    return checksum == _checksum(body)


def digest(key: str) -> str:
    """What is stored of a key: its SHA-256 in hex. Nobody can guess 178 random bits, so it needs no salt."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def hint(key: str) -> str:
    """What is shown of a key once it has been shown in full."""
    prefix, underscore, _ = key.partition("_")
    return f"{prefix}{underscore}…{key[-4:]}"


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode("ascii"))
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
