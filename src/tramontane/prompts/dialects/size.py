"""How many tokens a prompt may have that only another server can count."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_LIKELY_BYTES: Final = 4
"""Of UTF-8 in a token, as texts go."""
_AROUND: Final = 64
"""Tokens around a message or a tool that are not in its text, generously."""
_MEDIA: Final = {"image_url": 4096, "input_audio": 32_768, "document_url": 131_072, "file": 131_072}
"""Tokens of what a chunk of this type shows, generously."""
_LIKELY_MEDIA: Final = 1024
_PROMPT_FIELDS: Final = ("messages", "tools", "response_format", "prompt", "suffix", "input")


@dataclass(frozen=True, slots=True)
class PromptSize:
    """Tokens of a prompt that nobody here can count."""

    most: int
    """No tokenizer makes more of it: a token has at least a byte."""
    likely: int

    def __add__(self, other: "PromptSize") -> "PromptSize":
        """Of both together."""
        return PromptSize(self.most + other.most, self.likely + other.likely)


def prompt_size(body: Mapping[str, Any]) -> PromptSize:
    """The size of the prompt that a server makes of a request."""
    size = sum((_size(body[name]) for name in _PROMPT_FIELDS if name in body), start=_NOTHING)
    objects = len(body.get("messages", ())) + len(body.get("tools") or ()) + 1
    return PromptSize(size.most + _AROUND * objects, max(1, -(-size.likely // _LIKELY_BYTES)))


_NOTHING: Final = PromptSize(0, 0)


def _size(value: object) -> PromptSize:
    """Bytes of all that is written in it; `likely` is in bytes, too."""
    match value:
        case str(text):
            length = len(text.encode(errors="replace"))
            return PromptSize(length, length)
        case {"type": str(kind)} if kind in _MEDIA:
            return PromptSize(_MEDIA[kind], _LIKELY_MEDIA * _LIKELY_BYTES)
        case dict(fields):
            names = sum(len(str(name)) for name in fields)
            return sum(map(_size, fields.values()), start=PromptSize(names, names))
        case [*items]:
            return sum(map(_size, items), start=_NOTHING)
        case None:
            return _NOTHING
        case _:
            return PromptSize(len(str(value)), len(str(value)))
