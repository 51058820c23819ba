"""Whether no value satisfies two schemas at once, as far as this is plain to see.

`oneOf` asks for exactly one of its members. Its grammar is that of `anyOf`, which is the same if the members
exclude one another: by their type, by listed values, or by a property that tells them apart.
"""

from typing import Final

from tramontane.prompts.grammar.enums import listed_values
from tramontane.prompts.grammar.facts import Alternator, Facts, Place
from tramontane.prompts.grammar.keywords import TYPES, key_of, type_of, types_named
from tramontane.prompts.grammar.objects import property_places
from tramontane.prompts.grammar.wellformed import Checker

_MAX_DEPTH: Final = 3
_MAX_COMPARED: Final = 20_000
"""Pairs of alternatives in one schema."""


class Disjointness:
    """Compares the alternatives of one schema."""

    def __init__(self, alternator: Alternator) -> None:
        self._alternator = alternator
        self._compared = 0

    def check_all(self, checker: Checker) -> None:
        """Raise for a `oneOf` whose members might overlap."""
        for place in self._alternator.exclusive:
            members = [self._alternator.of(place.at("oneOf", index)) for index in range(len(place["oneOf"]))]
            for index, member in enumerate(members):
                for other in range(index):
                    if not self._all_differ(member, members[other], _MAX_DEPTH):
                        raise checker.fail(
                            f"`oneOf` cannot be enforced, as members {other} and {index} might both hold; "
                            "`anyOf` can",
                            place.path,
                        )

    def _all_differ(self, some: list[Facts], others: list[Facts], depth: int) -> bool:
        self._compared += len(some) * len(others)
        if self._compared > _MAX_COMPARED:
            return False
        return all(self._differ(one, other, depth) for one in some for other in others)

    def _differ(self, one: Facts, other: Facts, depth: int) -> bool:
        common = _types(one) & _types(other)
        if not common:
            return True
        values, others = listed_values(one), listed_values(other)
        if values is not None and others is not None:
            return set(map(key_of, values)).isdisjoint(map(key_of, others))
        if common != {"object"} or depth == 0:
            return False
        required = {name for fact in (*one, *other) for name in fact.get("required", ())}
        return any(self._told_apart_by(name, one, other, depth) for name in sorted(required))

    def _told_apart_by(self, name: str, one: Facts, other: Facts, depth: int) -> bool:
        mine, theirs = property_places(one, name), property_places(other, name)
        if mine is None or theirs is None:
            return True
        return self._all_differ(self._values(mine), self._values(theirs), depth - 1)

    def _values(self, places: list[Place]) -> list[Facts]:
        return self._alternator.of_all(places)


def _types(facts: Facts) -> frozenset[str]:
    values = listed_values(facts)
    if values is not None:
        return frozenset(map(type_of, values))
    return TYPES.intersection(*(types_named(fact["type"]) for fact in facts if "type" in fact))
