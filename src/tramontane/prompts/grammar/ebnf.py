"""Rules → EBNF in xgrammar's dialect, the one that engines take."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from string import hexdigits
from typing import Final

from tramontane.prompts.grammar.expressions import (
    EMPTY,
    NOTHING,
    Characters,
    Choice,
    Expression,
    Repeat,
    Rule,
    Sequence,
    Text,
    choice,
    repeat,
    sequence,
)

ROOT: Final = "root"

_UTF8_EDGES: Final = (0x80, 0x800, 0x1000, 0xD000, 0x10000, 0x40000, 0x100000)
"""Where UTF-8 gets longer, or its second byte has other bounds.

In a range that reaches over one the engine also allows bytes that are no UTF-8, and dead ends.
"""


_CANNOT_FOLLOW: Final = re.compile(r"(?<=[\x00-\x1f\x7f-\xff])(?=[0-9a-fA-F])")
"""Where a text is written as two.

However a character is written, the engine notes those below 256 that are not printable ASCII as `\\x` and
their number, and reads that again together with any hexadecimal digits behind it: of "ça" it makes U+0E7A.
"""


@dataclass(frozen=True, slots=True)
class Definition:
    """The body of a rule.

    `followed_by` are all characters that can come behind the rule. It allows and forbids nothing: it saves
    the engine a look around at each token that reaches beyond the rule, which makes strings much faster.
    """

    body: Expression
    followed_by: Characters | None = None


def render(root: Expression, rules: Mapping[str, Definition]) -> str | None:
    """The grammar of `root` with the rules that it needs; None if there is no text that it spells."""
    needed = needed_rules(root, rules)
    return written(needed) if needed else None


def needed_rules(root: Expression, rules: Mapping[str, Definition]) -> dict[str, Definition] | None:
    """`root` and the rules that it reaches, without what spells no text; None if nothing is left."""
    finite = _finite(rules)
    body = _pruned(root, finite)
    if body == NOTHING:
        return None
    needed = {ROOT: Definition(body)}
    waiting = _rules_in(body)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            body = _pruned(rules[name].body, finite)
            needed[name] = Definition(body, rules[name].followed_by)
            waiting += _rules_in(body)
    return needed


def written(rules: Mapping[str, Definition]) -> str:
    """`rules` in the dialect, a line each."""
    return "\n".join(_line(name, definition) for name, definition in rules.items()) + "\n"


def _line(name: str, definition: Definition) -> str:
    lookahead = f" (= {_write(definition.followed_by)})" if definition.followed_by else ""
    body = _write(definition.body)
    return f"{name} ::= ({body}){lookahead}" if lookahead else f"{name} ::= {body}"


def _finite(rules: Mapping[str, Definition]) -> set[str]:
    """The rules that spell at least one text: not `{"a": ` and the rule itself, for ever."""
    used_by: dict[str, list[str]] = {}
    for name, definition in rules.items():
        for used in _rules_in(definition.body):
            used_by.setdefault(used, []).append(name)
    finite: set[str] = set()
    waiting = list(rules)
    while waiting:
        name = waiting.pop()
        if name not in finite and _spells(rules[name].body, finite.__contains__):
            finite.add(name)
            waiting += used_by.get(name, ())
    return finite


def _spells(expression: Expression, is_finite: Callable[[str], bool]) -> bool:
    match expression:
        case Rule(name):
            return is_finite(name)
        case Sequence(parts):
            return all(_spells(part, is_finite) for part in parts)
        case Choice(options):
            return any(_spells(option, is_finite) for option in options)
        case Repeat(item, least):
            return least == 0 or _spells(item, is_finite)
        case Characters(ranges):
            return bool(ranges)
        case Text():
            return True


def _pruned(expression: Expression, finite: set[str]) -> Expression:
    """`expression` without what spells no text."""
    match expression:
        case Sequence(parts):
            pruned = [_pruned(part, finite) for part in parts]
            return NOTHING if NOTHING in pruned else sequence(*pruned)
        case Choice(options):
            return choice(*(_pruned(option, finite) for option in options))
        case Repeat(item, least, most):
            kept = _pruned(item, finite)
            if kept == NOTHING:
                return NOTHING if least else EMPTY
            return repeat(kept, least, most)
        case _:
            return expression if _spells(expression, finite.__contains__) else NOTHING


def _rules_in(expression: Expression) -> list[str]:
    names: list[str] = []
    waiting = [expression]
    while waiting:
        match waiting.pop():
            case Rule(name):
                names.append(name)
            case Sequence(parts) | Choice(parts):
                waiting += parts
            case Repeat(item):
                waiting.append(item)
    return names


def _write(expression: Expression) -> str:
    match expression:
        case Text(text):
            return " ".join(f'"{"".join(map(_escaped, piece))}"' for piece in _CANNOT_FOLLOW.split(text))
        case Characters(ranges):
            pieces = [piece for bounds in ranges for piece in _split(*bounds)]
            pieces.sort(key=lambda piece: chr(piece[0]) not in hexdigits)  # see _CANNOT_FOLLOW
            return f"[{''.join(_range(*piece) for piece in pieces)}]"
        case Rule(name):
            return name
        case Sequence(parts):
            return " ".join(map(_write_part, parts))
        case Choice(options):
            return " | ".join(map(_write, options))
        case Repeat(item, least, most):
            return _write_item(item) + _times(least, most)


def _write_part(part: Expression) -> str:
    return f"({_write(part)})" if isinstance(part, Choice) else _write(part)


def _write_item(item: Expression) -> str:
    is_atom = isinstance(item, Characters | Rule)
    return _write(item) if is_atom else f"({_write(item)})"


def _times(least: int, most: int | None) -> str:
    match least, most:
        case 0, 1:
            return "?"
        case 0, None:
            return "*"
        case 1, None:
            return "+"
        case _, None:
            return f"{{{least},}}"
    return f"{{{least}}}" if least == most else f"{{{least},{most}}}"


def _split(first: int, last: int) -> Iterator[tuple[int, int]]:
    for edge in _UTF8_EDGES:
        if first < edge <= last:
            yield first, edge - 1
            first = edge
    yield first, last


def _range(first: int, last: int) -> str:
    return _in_brackets(first) if first == last else f"{_in_brackets(first)}-{_in_brackets(last)}"


def _in_brackets(code: int) -> str:
    return "\\" + chr(code) if chr(code) in r"\]^-" else _escaped(chr(code))


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if " " <= character <= "~":
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"
