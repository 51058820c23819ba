"""Names that people give to workspaces and keys, and how they are told from ids."""

import uuid
from typing import Final

from tramontane.errors import InvalidRequestError

MAX_NAME_LENGTH: Final = 255


def checked_name(name: str) -> str:
    """The name without the blanks around it.

    Raises:
        InvalidRequestError: it is empty, too long, cannot be printed, or would be taken for an id.
    """
    name = name.strip()
    if not name:
        raise InvalidRequestError("name must not be empty")
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidRequestError(f"name must have at most {MAX_NAME_LENGTH} characters, got {len(name)}")
    if not name.isprintable():
        raise InvalidRequestError("name must consist of printable characters in one line")
    if as_id(name) is not None:
        raise InvalidRequestError("name must not be a UUID, which would be taken for an id")
    return name


def as_id(reference: str) -> str | None:
    """The id that the text is, in its usual form; None if it is none."""
    try:
        return str(uuid.UUID(reference))
    except ValueError:
        return None
