"""`enum` and `const`: values as they are listed."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from tramontane.prompts.grammar.expressions import Expression, Text, choice
from tramontane.prompts.grammar.facts import Facts, Place
from tramontane.prompts.grammar.keywords import KEYWORDS_OF, key_of, type_of, types_named, written
from tramontane.prompts.grammar.writer import Writer

_NUMERIC: Final = frozenset({"integer", "fraction"})


def listed_values(facts: Facts) -> list[Any] | None:
    """The values that `enum` and `const` of all facts, and their `type`, leave; None if none is listed."""
    lists = [fact["enum"] for fact in facts if "enum" in fact]
    lists += [[fact["const"]] for fact in facts if "const" in fact]
    if not lists:
        return None
    values = lists[0]
    for others in lists[1:]:
        keys = set(map(key_of, others))
        values = [value for value in values if key_of(value) in keys]
    declared = [types_named(fact["type"]) for fact in facts if "type" in fact]
    return [value for value in values if all(type_of(value) in types for types in declared)]


def enumerated(writer: Writer, facts: Facts, values: Sequence[Any]) -> Expression:
    """One of `values` that satisfies the other keywords as well."""
    for fact in facts:
        values = [value for value in values if _satisfies(writer, value, fact)]
    return choice(*(Text(written(value)) for value in values))


def _satisfies(writer: Writer, value: object, fact: Place) -> bool:
    kind = type_of(value)
    family = "number" if kind in _NUMERIC else kind
    assert isinstance(fact.schema, dict)
    speaking = fact.schema.keys() & KEYWORDS_OF.get(family, frozenset())
    return all(_holds(writer, value, keyword, fact) for keyword in sorted(speaking))


def _holds(writer: Writer, value: object, keyword: str, fact: Place) -> bool:
    holds = _CHECKS.get(keyword)
    if holds is None:
        raise writer.fail(f"`{keyword}` beside listed values cannot be enforced", fact)
    return holds(value, fact[keyword])


_CHECKS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "minimum": lambda value, bound: bool(value >= bound),
    "maximum": lambda value, bound: bool(value <= bound),
    "exclusiveMinimum": lambda value, bound: bool(value > bound),
    "exclusiveMaximum": lambda value, bound: bool(value < bound),
    "required": lambda value, names: all(name in value for name in names),
    **dict.fromkeys(("minLength", "minItems", "minProperties"), lambda value, bound: len(value) >= bound),
    **dict.fromkeys(("maxLength", "maxItems", "maxProperties"), lambda value, bound: len(value) <= bound),
}
"""Keywords that can be checked on a value that is there."""
