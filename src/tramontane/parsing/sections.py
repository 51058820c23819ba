"""Which part of an answer is a thought, which the answer itself, and where calls begin."""

import re
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple, Protocol

from tramontane.core.output_format import (
    ARGUMENTS_TEXT,
    CALL_ID_TEXT,
    CALLS_TEXT,
    ListedCalls,
    NamedCalls,
    OutputFormat,
    Section,
    TaggedCalls,
    TaggedThoughts,
    TokenThoughts,
)

MAX_BLANKS: Final = 64
"""Blanks next to a tag that belong to it."""


class Piece(NamedTuple):
    """More of an answer."""

    text: str = ""
    thought: str = ""


class Sections(Protocol):
    """Sorts one answer. However its text is split over calls of `feed`, the outcome is the same."""

    marks: frozenset[int]
    """Control tokens that mean something here."""
    calls: list[str] | None
    """Pieces of everything behind the mark of the first call; None while there is none."""

    def feed(self, text: str) -> Piece:
        """What can be passed on."""
        ...

    def mark(self, token_id: int) -> None:
        """One of `marks` came."""
        ...

    def flush(self) -> Piece:
        """What was held back; no more text follows."""
        ...


def sections_of(output_format: OutputFormat, begins_in: Section = Section.TEXT) -> Sections | None:
    """What sorts the answers of a model; None if all is text."""
    match output_format.calls, output_format.thoughts:
        case None, None:
            return None
        case TaggedCalls() | None as calls, TaggedThoughts() | None as thoughts:
            return TaggedSections(calls, thoughts, begins_in)
        case ListedCalls() | NamedCalls() | None as calls, TokenThoughts() | None as thoughts:
            return TokenSections(calls, thoughts, begins_in)
        case _:
            raise ValueError(f"A model marks either by text or by tokens, not as {output_format}")


class TokenSections:
    """Control tokens between the texts."""

    def __init__(
        self, calls: ListedCalls | NamedCalls | None, thoughts: TokenThoughts | None, begins_in: Section
    ) -> None:
        self.calls: list[str] | None = None
        self._section = begins_in
        self._begins: dict[int, Section] = {}
        self._written: dict[int, str] = {}
        """The marks that belong to a call, as text."""
        if thoughts:
            self._begins |= {thoughts.start: Section.THOUGHT, thoughts.end: Section.TEXT}
        if calls:
            self._begins[calls.start] = Section.CALLS
            self._written[calls.start] = CALLS_TEXT
        if isinstance(calls, NamedCalls):
            self._written[calls.arguments] = ARGUMENTS_TEXT
            if calls.call_id is not None:
                self._written[calls.call_id] = CALL_ID_TEXT
        self.marks = frozenset(self._begins) | frozenset(self._written)

    def feed(self, text: str) -> Piece:
        """What can be passed on."""
        if self.calls is not None:
            self.calls.append(text)
            return Piece()
        return Piece(thought=text) if self._section is Section.THOUGHT else Piece(text)

    def mark(self, token_id: int) -> None:
        """One of `marks` came."""
        if self.calls is not None:
            self.calls.append(self._written.get(token_id, ""))
            return
        self._section = self._begins.get(token_id, self._section)
        if self._section is Section.CALLS:
            self.calls = []

    def flush(self) -> Piece:
        """Nothing is held back."""
        return Piece()


class TaggedSections:
    """Tags in the text: a thought before everything else, then the answer, then calls.

    A call's tag counts only if JSON follows it, so that a model can write about tags.
    """

    def __init__(
        self, calls: TaggedCalls | None, thoughts: TaggedThoughts | None, begins_in: Section
    ) -> None:
        self.marks = frozenset[int]()
        self.calls: list[str] | None = None
        self._held = ""
        self._call = _tag(calls.start, before_json=True) if calls else None
        self._thought = _tag(thoughts.start) if thoughts else None
        self._thought_end = _tag(thoughts.end) if thoughts else None
        self._read: Callable[[str], Piece] = self._read_start
        if begins_in is Section.THOUGHT:
            self._read = self._read_thought_start

    def feed(self, text: str) -> Piece:
        """What can be passed on."""
        text, self._held = self._held + text, ""
        return self._read(text)

    def mark(self, token_id: int) -> None:
        """There are no marks."""
        raise ValueError(token_id)

    def flush(self) -> Piece:
        """What was held back."""
        held, self._held = self._held, ""
        return Piece(thought=held.rstrip()) if self._read == self._read_thought else Piece(held)

    def _read_start(self, text: str) -> Piece:
        """Is there a thought at all?"""
        if self._thought is None:
            return self._go_on(self._read_text, text)
        if match := self._thought.whole.match(text):
            return self._go_on(self._read_thought_start, text[match.end() :])
        if self._thought.begun.fullmatch(text):
            self._held = text
            return Piece()
        return self._go_on(self._read_text, text)

    def _read_thought_start(self, text: str) -> Piece:
        text = text.lstrip()
        return self._go_on(self._read_thought, text) if text else Piece()

    def _read_thought(self, text: str) -> Piece:
        if self._thought_end is None:
            return Piece(thought=text)
        if match := self._thought_end.whole.search(text):
            answer = self._go_on(self._read_answer_start, text[match.end() :])
            return Piece(answer.text, text[: match.start()])
        return Piece(thought=self._hold(text, self._thought_end))

    def _read_answer_start(self, text: str) -> Piece:
        text = text.lstrip()
        return self._go_on(self._read_text, text) if text else Piece()

    def _read_text(self, text: str) -> Piece:
        if self._call is None:
            return Piece(text)
        if match := self._call.whole.search(text):
            self._begin_calls(text[match.end() :])
            return Piece(text[: match.start()])
        return Piece(self._hold(text, self._call))

    def _begin_calls(self, text: str) -> None:
        self.calls = calls = [text]

        def read_calls(text: str) -> Piece:
            calls.append(text)
            return Piece()

        self._read = read_calls

    def _go_on(self, read: Callable[[str], Piece], text: str) -> Piece:
        self._read = read
        return read(text)

    def _hold(self, text: str, tag: "_Tag") -> str:
        """`text` without an end that may be the beginning of `tag`, which is kept for later."""
        begun = tag.begun.search(text)
        start = begun.start() if begun else len(text)
        self._held = text[start:]
        return text[:start]


class _Tag:
    """Patterns of a tag with blanks before it, and of a text's end that may become one.

    Args:
        tag: as it is written.
        before_json: it counts only if a JSON object or list follows, perhaps behind blanks.
    """

    def __init__(self, tag: str, *, before_json: bool = False) -> None:
        blanks = rf"\s{{0,{MAX_BLANKS}}}"
        beginnings = "|".join(re.escape(tag[:end]) for end in range(len(tag) - 1, 0, -1))
        ahead, blanks_behind = (rf"(?={blanks}[\[{{])", blanks) if before_json else ("", "")
        self.whole = re.compile(blanks + re.escape(tag) + ahead)
        self.begun = re.compile(rf"{blanks}(?:{re.escape(tag)}{blanks_behind}|{beginnings})?\Z")


@cache
def _tag(tag: str, *, before_json: bool = False) -> _Tag:
    """The patterns are made once for all answers: models have a few tags."""
    return _Tag(tag, before_json=before_json)
