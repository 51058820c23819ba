"""Regular expressions of JSON Schema (ECMA 262) → expressions over characters.

What a text can be matched with is what counts, not where: captures and laziness make no difference.
Shorthands for digits, letters and blanks stand for ASCII characters only, in which all dialects agree.
"""

from typing import Final

from tramontane.prompts.grammar.expressions import (
    ANY_CHARACTER,
    DIGIT,
    Characters,
    Expression,
    characters,
    choice,
    joined,
    repeat,
    sequence,
    without,
)

MAX_REPEAT: Final = 1024
_ASCII: Final = Characters(((0, 0x7F),))
_WORD: Final = characters(("0", "9"), ("a", "z"), ("A", "Z"), "_")
_BLANK: Final = characters(
    "\t\n\v\f\r \x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff", ("\u2000", "\u200a")
)
_LINE_END: Final = characters("\n\r\u2028\u2029")
_DOT: Final = without(ANY_CHARACTER, _LINE_END)
_SHORTHANDS: Final = {
    "d": DIGIT,
    "D": without(_ASCII, DIGIT),
    "w": _WORD,
    "W": without(_ASCII, _WORD),
    "s": characters("\t\n\v\f\r \xa0\u2028\u2029"),
    "S": without(ANY_CHARACTER, _BLANK),
}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_SYNTAX: Final = frozenset("^$\\.*+?()[]{}|/-")


class PatternError(ValueError):
    """Not a regular expression, or one with a construct that no grammar can follow."""


def expression_from_pattern(pattern: str) -> Expression:
    """All texts in which `pattern` is found: without `^` and `$`, anything may surround it.

    Raises:
        PatternError: it is not valid, or looks around, refers back, or anchors in the middle.
    """
    reader = _Reader(pattern)
    found = reader.alternatives(is_outermost=True)
    if reader.next:
        raise PatternError(f"unmatched `{reader.next}`")
    return found


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._position = 0
        self._depth = 0

    @property
    def next(self) -> str:
        """The character to be read next; none at the end."""
        return self._pattern[self._position : self._position + 1]

    def alternatives(self, *, is_outermost: bool = False) -> Expression:
        """`…|…|…`, up to a closing parenthesis or the end."""
        options = [self._alternative(is_outermost=is_outermost)]
        while self._take("|"):
            options.append(self._alternative(is_outermost=is_outermost))
        return choice(*options)

    def _alternative(self, *, is_outermost: bool) -> Expression:
        parts: list[Expression] = []
        begins = is_outermost and self._take("^")
        ends = False
        while self.next not in {"", "|", ")"}:
            ends = is_outermost and self._take("$")
            if ends:
                break
            parts.append(self._repeated())
        if self.next not in {"", "|", ")"}:
            raise PatternError("`$` is possible only at the end")
        if is_outermost and not begins:
            parts.insert(0, repeat(_DOT, 0, None))
        if is_outermost and not ends:
            parts.append(repeat(_DOT, 0, None))
        return sequence(*parts)

    def _repeated(self) -> Expression:
        item = self._item()
        while self.next in {"*", "+", "?", "{"}:
            least, most = self._times()
            self._take("?")
            item = repeat(item, least, most)
        return item

    def _times(self) -> tuple[int, int | None]:
        match self._read():
            case "*":
                return 0, None
            case "+":
                return 1, None
            case "?":
                return 0, 1
        least = self._number()
        most: int | None = least
        if self._take(","):
            most = None if self.next == "}" else self._number()
        if not self._take("}"):
            raise PatternError("`{` begins no repetition")
        if most is not None and most < least:
            raise PatternError("a repetition has its bounds the wrong way round")
        return least, most

    def _number(self) -> int:
        digits = ""
        while self.next.isascii() and self.next.isdigit() and len(digits) < 5:
            digits += self._read()
        if not digits:
            raise PatternError("`{` begins no repetition")
        if int(digits) > MAX_REPEAT:
            raise PatternError(f"a repetition is at most {MAX_REPEAT}")
        return int(digits)

    def _item(self) -> Expression:
        character = self._read()
        match character:
            case ".":
                return _DOT
            case "[":
                return self._class()
            case "(":
                return self._group()
            case "\\":
                return self._escape()
            case "^" | "$":
                raise PatternError(
                    f"`{character}` is possible only at the {'start' if character == '^' else 'end'}"
                )
            case "*" | "+" | "?" | "{":
                raise PatternError(f"nothing to repeat before `{character}`")
        return characters(character)

    def _group(self) -> Expression:
        self._depth += 1
        if self._depth > 32:
            raise PatternError("groups are nested too deeply")
        if self._take("?") and not self._take(":"):
            self._group_name()
        inner = self.alternatives()
        if not self._take(")"):
            raise PatternError("unmatched `(`")
        self._depth -= 1
        return inner

    def _group_name(self) -> None:
        if not self._take("<") or self.next in {"=", "!"}:
            raise PatternError("lookaround and flags cannot be enforced")
        while not self._take(">"):
            self._read()

    def _class(self) -> Characters:
        is_negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        while not self._take("]"):
            first = self._class_item()
            if self.next == "-" and self._pattern[self._position + 1 : self._position + 2] not in {"]", ""}:
                self._read()
                ranges.append(_range(first, self._class_item()))
            else:
                ranges += first.ranges
        members = Characters(joined(ranges))
        return without(ANY_CHARACTER, members) if is_negated else without(members, _NOT_CHARACTERS)

    def _class_item(self) -> Characters:
        character = self._read()
        if character != "\\":
            return characters(character)
        return characters("\b") if self._take("b") else self._escape()

    def _escape(self) -> Characters:
        character = self._read()
        if character in _SHORTHANDS:
            return _SHORTHANDS[character]
        match character:
            case "x":
                return self._code(2)
            case "u":
                return self._code(4)
            case "0" if self.next.isdigit():
                raise PatternError("octal escapes cannot be enforced")
            case "t" | "n" | "r" | "f" | "v" | "0":
                return characters(_CONTROLS[character])
        if character in _SYNTAX or not (character.isalnum() or character == "_"):
            return characters(character)
        raise PatternError(f"`\\{character}` cannot be enforced")

    def _code(self, digits: int) -> Characters:
        text = "".join(self._read() for _ in range(digits))
        if any(character not in "0123456789abcdefABCDEF" for character in text):
            raise PatternError(f"`{text}` is not a hexadecimal number")
        code = int(text, 16)
        return without(Characters(((code, code),)), _NOT_CHARACTERS)

    def _read(self) -> str:
        character = self.next
        if not character:
            raise PatternError("it ends too early")
        self._position += 1
        return character

    def _take(self, character: str) -> bool:
        if self.next != character:
            return False
        self._position += 1
        return True


_NOT_CHARACTERS: Final = Characters(((0xD800, 0xDFFF),))


def _range(first: Characters, last: Characters) -> tuple[int, int]:
    match first.ranges, last.ranges:
        case ((low, same),), ((also, high),) if low == same and also == high and low <= high:
            return low, high
    raise PatternError("a class has a range that is none")
