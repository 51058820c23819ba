"""Fill-in-the-middle for a model without tokens for it: stop where the suffix resumes.

The model continues the prompt without having seen the suffix. Its text is the middle up to the point where it
begins to write what follows anyway. The suffix is recognised by its first line that is not blank: of this, 80
characters are compared, without blanks of any kind. Of three rules the first that fits applies:

1. It starts with a closing bracket: the first bracket of this kind that closes nothing opened in the middle.
   So `)` does not end `f(x), g(y)` in `print(` … `)`. Brackets in string literals count like others.
2. Its first line starts on a line of its own: a line with the same indentation that starts like it. So a
   nested `end` or `return` is passed over. If that line is indented less than the one on which the prompt
   breaks off, the gap is in a block which the suffix leaves: then any line that leaves it, too, is the end.
3. Its first line goes on where the prompt breaks off: the same text anywhere, or, if it has fewer than two
   letters and digits, outside of brackets that the middle opened. So `,` does not end `f(a, b)`.

By rules 2 and 3 words must be whole: `end` is not found in `append`. A blank suffix stops nothing.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MAX_ANCHOR: Final = 80
MAX_BLANKS: Final = 256
"""Blanks before and within the anchor that are looked at."""
OPENING: Final = "([{"
CLOSING: Final = ")]}"


@dataclass(frozen=True, slots=True)
class SuffixAnchor:
    """By what the suffix is recognised; shared by all answers of a request."""

    text: str
    """Its first line without blanks."""
    lead: str
    """The blanks before it."""
    line_start: str
    """The last line of the prompt, which the middle goes on from."""
    indentation: str | None
    """The blanks before the anchor on its line; None if there is more before it."""
    leaves_block: int | None
    """Rule 2, second half: a line indented by no more columns than this ends the middle."""
    closes_bracket: bool
    """Rule 1 applies."""
    outside_brackets: bool
    """Rule 3 applies, and the anchor says so little that it counts outside of brackets only."""


def suffix_anchor(prompt: str, suffix: str) -> SuffixAnchor | None:
    """The anchor of `suffix` behind `prompt`; None if it is blank."""
    body = suffix.lstrip()
    if not body:
        return None
    lead = suffix[: len(suffix) - len(body)]
    line_start = prompt[prompt.rfind("\n") + 1 :]
    text = _without_blanks(body.partition("\n")[0])
    before = (line_start + lead).rpartition("\n")[2]
    is_own_line = not before.strip()
    return SuffixAnchor(
        text=text,
        lead=lead[:MAX_BLANKS],
        line_start=line_start,
        indentation=before if is_own_line else None,
        leaves_block=_columns(before) if is_own_line and _columns(before) < _indent(line_start) else None,
        closes_bracket=text[0] in CLOSING,
        outside_brackets=not is_own_line and sum(map(str.isalnum, text)) < 2,
    )


def _without_blanks(line: str) -> str:
    return "".join(line[: MAX_ANCHOR + MAX_BLANKS].split())[:MAX_ANCHOR]


def _columns(blanks: str) -> int:
    return len(blanks.expandtabs())


def _indent(line: str) -> int:
    return _columns(line[: len(line) - len(line.lstrip())])


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


class _Match(Enum):
    FOUND = auto()
    NOT_HERE = auto()
    UNDECIDED = auto()


class SuffixFilter:
    """Passes text on up to where the suffix resumes, without blanks that the suffix brings along itself.

    Holds back what may be the beginning of the suffix, and blanks that may turn out to be the suffix's. The
    outcome does not depend on how the text is split.
    """

    def __init__(self, anchor: SuffixAnchor) -> None:
        self._anchor = anchor
        self._held = ""
        self._at = 0
        """Where in `_held` to go on looking."""
        self._indentation: str | None = None if anchor.line_start.strip() else anchor.line_start
        """The current line so far, while it is blank."""
        self._previous = anchor.line_start[-1:]
        self._depth = 0
        self.stopped = False

    def feed(self, text: str, *, may_stop: bool = True) -> str:
        """What can be passed on; call no more once `stopped`."""
        self._held += text
        return self._scan(may_stop=may_stop, ended=False)

    def flush(self) -> str:
        """What was held back; up to the suffix, if that is what it is."""
        passed = self._scan(may_stop=True, ended=True)
        held, self._held, self._at = self._held, "", 0
        return passed + held

    def _scan(self, *, may_stop: bool, ended: bool) -> str:
        while self._at < len(self._held):
            match self._match(ended=ended) if may_stop else _Match.NOT_HERE:
                case _Match.FOUND:
                    self.stopped = True
                    return self._cut()
                case _Match.UNDECIDED:
                    break
                case _Match.NOT_HERE:
                    self._advance()
        return self._pass_on()

    def _match(self, *, ended: bool) -> _Match:
        """Whether the suffix resumes at the current character."""
        anchor, character = self._anchor, self._held[self._at]
        if anchor.closes_bracket:
            is_closed = character == anchor.text[0] and not self._depth
            return _Match.FOUND if is_closed else _Match.NOT_HERE
        if self._leaves_block(character):
            return _Match.FOUND
        return self._compare(ended=ended) if self._may_resume(character) else _Match.NOT_HERE

    def _may_resume(self, character: str) -> bool:
        """Whether rules 2 and 3, but for the text, allow the suffix to resume at the current character."""
        anchor = self._anchor
        if character != anchor.text[0] or (_is_word(character) and _is_word(self._previous)):
            return False
        if anchor.indentation is not None:
            return self._indentation == anchor.indentation
        return not (anchor.outside_brackets and self._depth)

    def _leaves_block(self, character: str) -> bool:
        """Whether the current character is the first of a line that leaves the block of the gap."""
        columns, indentation = self._anchor.leaves_block, self._indentation
        if columns is None or indentation is None or character.isspace() or self._depth:
            return False
        return _columns(indentation) <= columns

    def _compare(self, *, ended: bool) -> _Match:
        """The anchor with the text from the current character on."""
        anchor, matched = self._anchor.text, 0
        for character in self._held[self._at : self._at + MAX_ANCHOR + MAX_BLANKS]:
            if matched == len(anchor):
                cuts_word = _is_word(anchor[-1]) and _is_word(character)
                return _Match.NOT_HERE if cuts_word else _Match.FOUND
            if character == anchor[matched]:
                matched += 1
            elif not character.isspace():
                return _Match.NOT_HERE
        if matched == len(anchor) and (ended or not _is_word(anchor[-1])):
            return _Match.FOUND
        is_over = ended or len(self._held) - self._at >= MAX_ANCHOR + MAX_BLANKS
        return _Match.NOT_HERE if is_over else _Match.UNDECIDED

    def _advance(self) -> None:
        character = self._held[self._at]
        self._at += 1
        self._previous = character
        if character in OPENING:
            self._depth += 1
        elif character in CLOSING and self._depth:
            self._depth -= 1
        if character == "\n":
            self._indentation = ""
        elif self._indentation is not None:
            is_blank = character.isspace() and len(self._indentation) < MAX_BLANKS
            self._indentation = self._indentation + character if is_blank else None

    def _pass_on(self) -> str:
        """Everything before the current character, but for blanks that the suffix may bring along."""
        settled = self._held[: self._at]
        length = len(settled)
        if self._anchor.lead:
            length = max(len(settled.rstrip()), length - MAX_BLANKS)
        self._held = self._held[length:]
        self._at -= length
        return settled[:length]

    def _cut(self) -> str:
        """What comes before the suffix, without the blanks between them that the suffix repeats."""
        settled, lead = self._held[: self._at], self._anchor.lead
        self._held, self._at = "", 0
        if "\n" in lead:
            settled = settled.rstrip(" \t")
        repeated = next((n for n in range(len(lead), 0, -1) if settled.endswith(lead[:n])), 0)
        return settled[: len(settled) - repeated]
