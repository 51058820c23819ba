"""What grammars are made of: expressions over the characters of a text.

Plain values. An expression for which no text exists (`NOTHING`) is legal anywhere; `Rules.render` leaves out
what cannot be spelled because of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LAST_CHARACTER: Final = 0xFFFFF
"""The characters above are private: in a grammar they stand for control tokens (`SamplingParams.grammar`)."""


@dataclass(frozen=True, slots=True)
class Text:
    """Exactly this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of these ranges: first and last code point, ascending and apart."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Whatever the rule of this name says."""

    name: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """All parts, one after the other."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the options."""

    options: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`item` at least `least` and at most `most` times; None is any number."""

    item: "Expression"
    least: int
    most: int | None


Expression = Text | Characters | Rule | Sequence | Choice | Repeat

EMPTY: Final = Text("")
NOTHING: Final = Choice(())


def sequence(*parts: Expression) -> Expression:
    """`parts` one after the other, neighbouring texts as one."""
    flat: list[Expression] = []
    for part in parts:
        for piece in part.parts if isinstance(part, Sequence) else (part,):
            match flat, piece:
                case _, Text(""):
                    continue
                case [*_, Text(before)], Text(text):
                    flat[-1] = Text(before + text)
                case _:
                    flat.append(piece)
    if len(flat) == 1:
        return flat[0]
    return Sequence(tuple(flat)) if flat else EMPTY


def choice(*options: Expression) -> Expression:
    """One of `options`, each of which counts once."""
    flat: dict[Expression, None] = {}
    for option in options:
        flat.update(dict.fromkeys(option.options if isinstance(option, Choice) else (option,)))
    return next(iter(flat)) if len(flat) == 1 else Choice(tuple(flat))


def repeat(item: Expression, least: int, most: int | None) -> Expression:
    """`item` so many times."""
    if most is not None and most < least:
        return NOTHING
    if most == 0:
        return EMPTY
    return item if least == most == 1 else Repeat(item, least, most)


def optional(item: Expression) -> Expression:
    """`item`, or nothing at all."""
    return repeat(item, 0, 1)


def characters(*parts: str | tuple[str, str]) -> Characters:
    """The characters of texts, and of ranges given by their first and last character."""
    ranges: list[tuple[int, int]] = []
    for part in parts:
        if isinstance(part, str):
            ranges += [(ord(character), ord(character)) for character in part]
        else:
            ranges.append((ord(part[0]), ord(part[1])))
    return Characters(joined(ranges))


def joined(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """`ranges` in order, those that touch or overlap as one."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return tuple(result)


def without(minuend: Characters, *subtrahends: Characters) -> Characters:
    """The characters of the first that are in none of the others."""
    ranges: list[tuple[int, int]] = []
    taken = joined(bounds for subtrahend in subtrahends for bounds in subtrahend.ranges)
    for first, last in minuend.ranges:
        start = first
        for cut_first, cut_last in taken:
            if cut_last < start or cut_first > last:
                continue
            if cut_first > start:
                ranges.append((start, cut_first - 1))
            start = cut_last + 1
        if start <= last:
            ranges.append((start, last))
    return Characters(tuple(ranges))


ANY_CHARACTER: Final = Characters(((0, 0xD7FF), (0xE000, LAST_CHARACTER)))
"""Surrogates are no characters, as UTF-8 cannot write them; what is above the last one, JSON can escape."""
DIGIT: Final = characters(("0", "9"))
HEX_DIGIT: Final = characters(("0", "9"), ("a", "f"), ("A", "F"))
