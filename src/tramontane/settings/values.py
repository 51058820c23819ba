"""What the values of settings may look like, and marks that say more of a field than its type."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, SecretStr, WithJsonSchema


@dataclass(frozen=True, slots=True)
class Unset:
    """What a setting that nobody chose amounts to, in words for people."""

    meaning: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Says of a field what its type does not."""

    name: str


MAY_BE_PATH: Final = Mark("a path where it looks like one")
"""Texts that name either a model or a file: `~…`, `./…`, `../…`, `/…` and `….gguf` are files, but
`hf:…` never is."""
FILE_ONLY: Final = Mark("set in the file only")
"""Tables, for which neither a variable nor an option has the room."""
WRITTEN: Final = Mark("a number that is written with a unit")
"""The command line and the environment give the text."""

NEVER: Final = math.inf

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def parse_duration(value: object) -> float:
    """Seconds: of a number, or of a text like "90", "10m", "1.5 h" and "never".

    Raises:
        ValueError: it is nothing of these.
    """
    if isinstance(value, str):
        text = value.strip().lower()
        if text == "never":
            return NEVER
        if match := _DURATION.fullmatch(text):
            return float(match[1]) * _SECONDS[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    raise ValueError('must be a number of seconds, a time like "90s", "10m", "2h" and "1d", or "never"')


def written_duration(seconds: float) -> str | float:
    """As `parse_duration` reads it; JSON has no infinity."""
    return "never" if seconds == NEVER else seconds


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(written_duration),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}),
    WRITTEN,
]
"""Seconds, or `NEVER`."""


def revealed(secret: SecretStr | None) -> str | None:
    """The text of a secret setting."""
    return None if secret is None else secret.get_secret_value()
