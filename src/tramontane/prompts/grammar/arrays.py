"""Arrays: items in order, within bounds of their number."""

from typing import Final

from tramontane.prompts.grammar.expressions import (
    EMPTY,
    NOTHING,
    Expression,
    Text,
    choice,
    optional,
    repeat,
    sequence,
)
from tramontane.prompts.grammar.facts import Facts, Place
from tramontane.prompts.grammar.wellformed import MAX_ITEMS
from tramontane.prompts.grammar.writer import Writer

COMMA: Final = Text(", ")


def array_expression(writer: Writer, facts: Facts) -> Expression:
    """The array that `facts` describe."""
    least = max((int(fact.get("minItems", 0)) for fact in facts), default=0)
    most = min((int(fact["maxItems"]) for fact in facts if "maxItems" in fact), default=None)
    _check(writer, facts, least, most)
    tuple_length = max(len(_prefix(fact)) for fact in facts)
    first = [writer.value(_item_places(facts, index)) for index in range(tuple_length)]
    rest = writer.value(_item_places(facts, tuple_length)) if _goes_on(facts) else NOTHING
    return sequence(Text("["), _items(first, rest, least, most), Text("]"))


def _check(writer: Writer, facts: Facts, least: int, most: int | None) -> None:
    for fact in facts:
        if fact.get("uniqueItems") and (most is None or most > 1):
            raise writer.fail("`uniqueItems` cannot be enforced", fact)
        if isinstance(fact.get("items"), list) and "prefixItems" in fact:
            raise writer.fail("`items` is not a schema", fact)
        if max(least, most or 0) > MAX_ITEMS:
            raise writer.fail(f"`minItems` and `maxItems` are at most {MAX_ITEMS}", fact)


def _items(first: list[Expression], rest: Expression, least: int, most: int | None) -> Expression:
    """Items of a tuple, then any number of others; written from the last to the first."""
    if most is not None:
        first = first[:most]
    length = len(first)
    if not first:
        once_or_more = sequence(
            rest, repeat(sequence(COMMA, rest), max(least - 1, 0), None if most is None else most - 1)
        )
        return choice(once_or_more, EMPTY) if least == 0 else once_or_more
    tail = repeat(sequence(COMMA, rest), max(least - length, 0), None if most is None else most - length)
    for index in range(length - 1, -1, -1):
        tail = sequence(COMMA if index else EMPTY, first[index], tail)
        if index >= least:
            tail = optional(tail)
    return tail


def _prefix(fact: Place) -> list[object]:
    items = fact.get("items")
    found = items if isinstance(items, list) else fact.get("prefixItems", [])
    return list(found)


def _goes_on(facts: Facts) -> bool:
    """Whether items may follow those of a tuple: only if a schema for them says so, or there is no tuple."""
    speaking = [fact for fact in facts if _prefix(fact) or "items" in fact]
    return not speaking or any(_rest_keyword(fact) in fact for fact in speaking)


def _rest_keyword(fact: Place) -> str:
    return "additionalItems" if isinstance(fact.get("items"), list) else "items"


def _item_places(facts: Facts, index: int) -> list[Place]:
    places = []
    for fact in facts:
        keyword = "items" if isinstance(fact.get("items"), list) else "prefixItems"
        if index < len(_prefix(fact)):
            places.append(fact.at(keyword, index))
        elif _rest_keyword(fact) in fact:
            places.append(fact.at(_rest_keyword(fact)))
    return places
