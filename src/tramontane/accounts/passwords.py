"""Passwords of members: what is stored of them is slow to try, by scrypt (RFC 7914)."""

import hashlib
import hmac
import os
from typing import Final

from tramontane.errors import InvalidRequestError

MIN_PASSWORD_LENGTH: Final = 12
MAX_PASSWORD_LENGTH: Final = 1024
_COST: Final = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 2**20}
"""32 MiB and a tenth of a second for each try."""
_NAME: Final = "scrypt-15-8-1"


def checked_password(password: str) -> str:
    """The password.

    Raises:
        InvalidRequestError: it is too short or too long.
    """
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidRequestError(f"A password has at least {MIN_PASSWORD_LENGTH} characters")
    if len(password) > MAX_PASSWORD_LENGTH:
        raise InvalidRequestError(f"A password has at most {MAX_PASSWORD_LENGTH} characters")
    return password


def password_digest(password: str) -> str:
    """What is stored: `scrypt-15-8-1$SALT$DIGEST`, in hex. Slow: not for the event loop."""
    salt = os.urandom(16)
    return f"{_NAME}${salt.hex()}${_scrypt(password, salt).hex()}"


def is_password(password: str, stored: str | None) -> bool:
    """Whether it is the one that was stored; as slow without one, so that nobody learns who has one."""
    name, _, rest = (stored or f"{_NAME}$00$").partition("$")
    salt, _, digest = rest.partition("$")
    found = _scrypt(password, bytes.fromhex(salt))
    return name == _NAME and hmac.compare_digest(found, bytes.fromhex(digest))


def _scrypt(password: str, salt: bytes) -> bytes:
    cut = password[: MAX_PASSWORD_LENGTH + 1].encode("utf-8", "surrogatepass")
    return hashlib.scrypt(cut, salt=salt, dklen=32, **_COST)
