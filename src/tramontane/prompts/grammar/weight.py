"""How long an engine will need to read a grammar, roughly, before it is asked to.

Its compiler looks at the whole vocabulary for each place in the grammar: quickly where few characters can
follow, for some milliseconds where nearly any can.
"""

from collections.abc import Iterable
from typing import Final

from tramontane.prompts.grammar.ebnf import Definition
from tramontane.prompts.grammar.expressions import (
    Characters,
    Choice,
    Expression,
    Repeat,
    Rule,
    Sequence,
    Text,
)

MAX_WEIGHT: Final = 10_000
"""A few seconds."""
_NARROW: Final = 1
_WIDE: Final = 64
_MANY_CHARACTERS: Final = 1000
_TEXT_PER_UNIT: Final = 4


def weight_of(rules: Iterable[Definition]) -> int:
    """The weight of a grammar; `MAX_WEIGHT` is the most to ask for."""
    return sum(_weight(definition.body) for definition in rules)


def _weight(expression: Expression) -> int:
    match expression:
        case Text(text):
            return _NARROW + len(text) // _TEXT_PER_UNIT
        case Characters(ranges):
            many = sum(last - first + 1 for first, last in ranges) > _MANY_CHARACTERS
            return _WIDE if many else _NARROW
        case Rule():
            return _NARROW
        case Sequence(parts) | Choice(parts):
            return sum(map(_weight, parts))
        case Repeat(item, least, most):
            times = max(least if most is None else most, 1)
            is_copied = isinstance(item, Characters)  # anything else becomes a rule, which is read once
            return _weight(item) * times if is_copied else _weight(item) + times
