"""What a model wrote behind the mark of a call → the calls, and whatever of it is none.

Small models write all sorts of things there. What is not a call is given back as text: nothing is lost.
"""

import json
import math
import re
from dataclasses import dataclass, field
from typing import Final, NoReturn

from tramontane.core.events import ToolCall
from tramontane.core.ids import new_tool_call_id
from tramontane.core.output_format import (
    ARGUMENTS_TEXT,
    CALL_ID_TEXT,
    CALLS_TEXT,
    ListedCalls,
    NamedCalls,
    TaggedCalls,
    ToolCallFormat,
)

_BLANKS: Final = re.compile(r"\s*")
_NEXT_ITEM: Final = re.compile(r"\s*,?\s*")
_CUT_NAME: Final = re.compile(r'\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
_NAMED: Final = re.compile(
    rf"\s*([^\s\[{{]+)\s*(?:{re.escape(CALL_ID_TEXT)}[^\[{{]*)?(?:{re.escape(ARGUMENTS_TEXT)}|(?=\{{))"
)


@dataclass(slots=True)
class Calls:
    """What was found."""

    calls: list[ToolCall] = field(default_factory=list)
    text: str = ""
    """What is no call, marks and all."""


def read_calls(body: str, form: ToolCallFormat, most: int | None = None, *, cut: bool) -> Calls:
    """The calls in `body`, which is everything behind the mark of the first one up to the end of the answer.

    Mistral's marks may stand in it as text. If the answer was `cut` by its length, an unfinished call has the
    `arguments` "" if its name is whole, and is left out if not; otherwise what is unfinished is text. What
    comes behind so many calls as there may be at `most` is left out.
    """
    reader = _Reader(body, most, cut=cut)
    match form:
        case TaggedCalls():
            reader.read_tagged(form)
        case ListedCalls():
            reader.read_listed()
        case NamedCalls():
            reader.read_named()
    return reader.found


class _Reader:
    """Goes through one body; `_at` is how far it has come."""

    def __init__(self, body: str, most: int | None, *, cut: bool) -> None:
        self._body = body
        self._most = most
        self._cut = cut
        self._at = 0
        self.found = Calls()

    def read_tagged(self, form: TaggedCalls) -> None:
        """Blocks between tags, with text between them."""
        while True:
            if self._read_calls():
                self._skip(form.end)
            elif self._cut and self._body.find(form.end, self._at) < 0:
                self._read_cut_calls()
                return
            else:
                closing = self._body.find(form.end, self._at)
                self._as_text(len(self._body) if closing < 0 else closing + len(form.end), form.start)
            if self._is_full:
                return
            following = self._body.find(form.start, self._at)
            if following < 0:
                self._as_text(len(self._body))
                return
            self._as_text(following)
            self._at = following + len(form.start)

    def read_listed(self) -> None:
        """JSON lists one after another, each perhaps behind the mark again."""
        while not self._is_full and self._read_calls():
            self._skip(CALLS_TEXT)
        if self._is_full:
            return
        if self._cut:
            self._read_cut_calls()
        else:
            self._as_text(len(self._body))

    def read_named(self) -> None:
        """Names and arguments, each call but the first behind the mark again."""
        while not self._is_full and self._read_named_call():
            self._skip(CALLS_TEXT)
        if not self._cut and not self._is_full:
            self._as_text(len(self._body))

    def _read_named_call(self) -> bool:
        named = _NAMED.match(self._body, self._at)
        if named is None:
            return False
        value, end = _decode(self._body, named.end())
        arguments = _arguments(value)
        if arguments is None and not self._body[named.end() :].strip():
            arguments, end = "" if self._cut else "{}", len(self._body)
        elif arguments is None and self._cut:
            arguments, end = "", len(self._body)
        if arguments is None or not _is_text(named[1]):
            return False
        self._add(named[1], arguments)
        self._at = end
        return True

    def _read_calls(self) -> bool:
        """Read an object, or a list of objects, all of which are calls; otherwise stay where we are."""
        value, end = _decode(self._body, self._at)
        calls = [_call(item) for item in (value if isinstance(value, list) else [value])]
        if None in calls:
            return False
        for name, arguments in filter(None, calls):
            self._add(name, arguments)
        self._at = end
        return True

    def _read_cut_calls(self) -> None:
        """Read the calls of a list that does not end, and the name of one that does not."""
        self._skip("[")
        while call := _call((decoded := _decode(self._body, self._at))[0]):
            self._add(*call)
            self._at = _end(_NEXT_ITEM, self._body, decoded[1])
        if cut := _CUT_NAME.match(self._body, _end(_BLANKS, self._body, self._at)):
            name, _ = _decode(cut[1], 0)
            if isinstance(name, str) and _is_text(name):
                self._add(name, "")

    @property
    def _is_full(self) -> bool:
        return len(self.found.calls) == self._most

    def _add(self, name: str, arguments: str) -> None:
        if not self._is_full:
            self.found.calls.append(ToolCall(new_tool_call_id(), name, arguments))

    def _skip(self, mark: str) -> None:
        """Go on behind `mark` if it is next, blanks apart."""
        start = _end(_BLANKS, self._body, self._at)
        if self._body.startswith(mark, start):
            self._at = start + len(mark)

    def _as_text(self, end: int, mark: str = "") -> None:
        """Go on at `end`; what is passed over is text, and `mark` before it, unless all is blank."""
        passed = self._body[self._at : end]
        if mark or passed.strip():
            self.found.text += mark + passed
        self._at = end


def _call(value: object) -> tuple[str, str] | None:
    """Name and arguments, if `value` is a call."""
    match value:
        case {"name": str(name), **rest} if name and _is_text(name):
            arguments = _arguments(rest.get("arguments", rest.get("parameters", {})))
            return None if arguments is None else (name, arguments)
    return None


def _arguments(value: object) -> str | None:
    """The JSON text of an object, also of one that is JSON text already; None for anything else."""
    match value:
        case str(text):
            inner, end = _decode(text, 0)
            return _arguments(inner) if isinstance(inner, dict) and not text[end:].strip() else None
        case dict():
            arguments = json.dumps(value, ensure_ascii=False)
            return arguments if _is_text(arguments) else json.dumps(value)
    return None


_MISSING: Final = object()


def _decode(text: str, at: int) -> tuple[object, int]:
    """The JSON value at `at`, blanks apart, and where it ends; `_MISSING` if there is none."""
    try:
        return _DECODER.raw_decode(text, _end(_BLANKS, text, at))
    except (ValueError, RecursionError):
        return _MISSING, at


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a match of `pattern`, which matches everywhere, ends."""
    match = pattern.match(text, at)
    return match.end() if match else at


def _is_text(text: str) -> bool:
    """Whether `text` can be sent: half a surrogate pair, which JSON can escape, cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _number(text: str) -> float:
    """A number that JSON can say again: not one like 1e999.

    Raises:
        ValueError: it is too large.
    """
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_DECODER: Final = json.JSONDecoder(parse_float=_number, parse_constant=_refuse, strict=False)
"""Not strict: models write line ends into strings as they are."""
