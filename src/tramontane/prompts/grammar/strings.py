"""Strings of JSON: of bounded length, or of a pattern."""

import json
from collections.abc import Iterable
from functools import partial, reduce
from typing import Final

from tramontane.prompts.grammar.any_json import (
    ESCAPE,
    FOLLOWS_STRING,
    QUOTE,
    RAW_CHARACTER,
    STRING,
    STRING_END,
)
from tramontane.prompts.grammar.automata import Automaton, Work, automaton_of, intersection, lengths
from tramontane.prompts.grammar.ebnf import Definition
from tramontane.prompts.grammar.expressions import (
    ANY_CHARACTER,
    NOTHING,
    Characters,
    Expression,
    Rule,
    Text,
    choice,
    joined,
    repeat,
    sequence,
    without,
)

BLOCK: Final = 32
"""Characters that a long string is counted in: each counted character costs the engine's compiler some
milliseconds, and each border between blocks costs the sampler a little."""
MAX_COUNTED: Final = 2 * BLOCK
"""Up to here every character is counted by itself."""
MAX_LENGTH: Final = 4096
"""The longest bound that can be enforced."""
_MANY: Final = 1000
"""A class of more characters stands for "anything but": those that JSON must escape are left out of it."""

Rules = dict[str, Definition]


def string_of_length(rules: Rules, least: int, most: int | None) -> Expression:
    """A string of so many characters, counted as JSON Schema does: an escape is one."""
    if most is not None and most < least:
        return NOTHING
    if least == 0 and most is None:
        return STRING
    parts: list[Expression] = [QUOTE]
    while least > BLOCK and (most is None or most > MAX_COUNTED):
        parts.append(_exactly(rules, BLOCK))
        least -= BLOCK
        most = None if most is None else most - BLOCK
    return sequence(*parts, _counted(rules, least, most))


def _counted(rules: Rules, least: int, most: int | None) -> Expression:
    """At least and at most so many more characters, and the closing quote."""
    if least == 0:
        if most is None:
            return STRING_END
        return _at_most(rules, most) if most <= MAX_COUNTED else _in_blocks(rules, most)
    name = f"string_end_{least}_{'' if most is None else most}"
    if name not in rules:
        rest = _counted(rules, least - 1, None if most is None else most - 1)
        rules[name] = Definition(_character_and(rest), FOLLOWS_STRING)
    return Rule(name)


def _at_most(rules: Rules, most: int) -> Expression:
    name = f"string_end_0_{most}"
    if name not in rules:
        more = _character_and(_at_most(rules, most - 1)) if most else NOTHING
        rules[name] = Definition(choice(QUOTE, more), FOLLOWS_STRING)
    return Rule(name)


def _in_blocks(rules: Rules, most: int) -> Expression:
    """The same, counted in whole blocks and what is less than one."""
    if most < BLOCK:
        return _at_most(rules, most)
    name = f"string_blocks_{most}"
    if name not in rules:
        longer = sequence(_exactly(rules, BLOCK), _in_blocks(rules, most - BLOCK))
        rules[name] = Definition(choice(_at_most(rules, BLOCK - 1), longer), FOLLOWS_STRING)
    return Rule(name)


def _exactly(rules: Rules, count: int) -> Expression:
    name = f"characters_{count}"
    if name not in rules:
        rest = _exactly(rules, count - 1) if count > 1 else Text("")
        rules[name] = Definition(_character_and(rest))
    return Rule(name)


def _character_and(rest: Expression) -> Expression:
    return choice(sequence(RAW_CHARACTER, rest), sequence(Text("\\"), ESCAPE, rest))


def string_of_form(
    rules: Rules, forms: Iterable[Automaton], least: int, most: int | None, work: Work
) -> Expression:
    """A string whose text all automata accept, and that is so long.

    Raises:
        TooLargeError: nothing small enough follows all of them at once.
    """
    automaton = reduce(partial(intersection, work=work), forms)
    shortest, longest = lengths(automaton)
    if shortest < least or (most is not None and (longest is None or longest > most)):
        automaton = intersection(automaton, automaton_of(repeat(ANY_CHARACTER, least, most), work), work)
    first = len(rules)
    states = [Rule(f"rule_{first + state}") for state in range(len(automaton.edges))]
    for state, edges in enumerate(automaton.edges):
        following: dict[int, list[tuple[int, int]]] = {}
        for low, high, to in edges:
            following.setdefault(to, []).append((low, high))
        steps = (
            sequence(_escaped(Characters(joined(ranges))), states[to]) for to, ranges in following.items()
        )
        end = QUOTE if automaton.accepting[state] else NOTHING
        rules[states[state].name] = Definition(choice(end, *steps), FOLLOWS_STRING)
    return sequence(QUOTE, states[0])


def _escaped(text: Characters) -> Expression:
    special = without(text, RAW_CHARACTER)
    raw = without(text, special)
    if sum(last - first + 1 for first, last in text.ranges) > _MANY:
        return raw
    codes = [code for first, last in special.ranges for code in range(first, last + 1)]
    escapes = [Text(json.dumps(chr(code))[1:-1]) for code in codes]
    return choice(*([raw] if raw.ranges else []), *escapes)
