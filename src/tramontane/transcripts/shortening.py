"""Bounds of what is kept: long texts lose their middle, long lists one end, files everything. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_TEXT: Final = 32_768
"""Characters of one text."""
MAX_REQUEST: Final = 262_144
"""Characters of a whole request as JSON, and of all its answers."""
MAX_DEPTH: Final = 24
"""Of objects within one another: a schema has no use for more."""
_HEAD: Final = MAX_TEXT * 3 // 4
_TAIL: Final = MAX_TEXT - _HEAD
_FILE: Final = re.compile(r"(data:[\w/+.-]+(;[\w=.-]+)*),|[A-Za-z0-9+/=_-]{1024}")
"""What a text that is a file begins with."""


def shortened(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document within `MAX_REQUEST`; what is left out is said where it was.

    Of a conversation the last messages stay, of other lists the first items.
    """
    left = MAX_REQUEST
    short: dict[str, Any] = {}
    # The smallest first, so that one that is too large costs no other its place.
    fields = {name: _value(value, 0) for name, value in document.items()}
    for name in sorted(fields, key=lambda name: _size(fields[name])):
        short[name] = _fitting(fields[name], left, keeps_end=name == "messages")
        left -= _size(short[name])
    return {name: short[name] for name in document}


def shortened_answers(answers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The answers, the first of them whole where not all fit."""
    kept: list[dict[str, Any]] = []
    left = MAX_REQUEST
    for answer in answers:
        short: dict[str, Any] = _value(answer, 0)
        left -= _size(short)
        if left < 0:
            kept.append({"text": f"[{len(answers) - len(kept)} more answers are not kept]"})
            break
        kept.append(short)
    return kept


def _value(value: object, depth: int) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case str():
            return _text(value)
        case Mapping() | list() | tuple() if depth == MAX_DEPTH:
            return "[nested deeper than is kept]"
        case Mapping():
            return {_text(str(name)): _value(inner, depth + 1) for name, inner in value.items()}
        case list() | tuple():
            return [_value(inner, depth + 1) for inner in value]
        case _:
            return value


def _text(text: str) -> str:
    if found := _FILE.match(text):
        return f"[{found[1] or 'a file'}, {len(text)} characters]"
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:_HEAD]}\n[{len(text) - MAX_TEXT} characters are not kept]\n{text[-_TAIL:]}"


def _fitting(value: object, room: int, *, keeps_end: bool) -> Any:  # noqa: ANN401 - any JSON
    if _size(value) <= room:
        return value
    if not isinstance(value, list):
        return "[larger than is kept]"
    kept: list[Any] = []
    left = room - 64
    for item in reversed(value) if keeps_end else value:
        left -= _size(item) + 2
        if left < 0:
            break
        kept.append(item)
    note = f"[{len(value) - len(kept)} more are not kept]"
    return [note, *reversed(kept)] if keeps_end else [*kept, note]


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str))
