"""What a schema says of a value, with references followed and alternatives told apart.

A *fact* is one schema object whose `$ref`, `allOf`, `anyOf` and `oneOf` are taken care of. An *alternative*
is a tuple of facts that hold together; a value is valid if all facts of one of its alternatives are true.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from tramontane.prompts.grammar.keywords import GENERAL, KEYWORDS_OF, Schema
from tramontane.prompts.grammar.wellformed import Checker

MAX_ALTERNATIVES: Final = 256
MAX_REFERENCES: Final = 64
"""In a row."""

_SAYS_SOMETHING: Final = frozenset({"type", "enum", "const"}).union(*KEYWORDS_OF.values())
_COMBINING: Final = ("$ref", "allOf", "anyOf", "oneOf")
assert _SAYS_SOMETHING | set(_COMBINING) | {"$defs", "definitions"} == GENERAL.union(*KEYWORDS_OF.values())


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A schema, and the way to it."""

    schema: Schema
    path: str

    def at(self, *steps: str | int) -> "Place":
        """A schema inside this one."""
        schema: Any = self.schema
        for step in steps:
            schema = schema[step]
        return Place(schema, self.path + "".join(map(_step, steps)))

    def __contains__(self, keyword: str) -> bool:
        return isinstance(self.schema, dict) and keyword in self.schema

    def __getitem__(self, keyword: str) -> Any:  # noqa: ANN401  # keywords have all kinds of values
        assert isinstance(self.schema, dict)
        return self.schema[keyword]

    def get(self, keyword: str, default: object = None) -> Any:  # noqa: ANN401
        """The value of a keyword."""
        return self.schema.get(keyword, default) if isinstance(self.schema, dict) else default


Facts = tuple[Place, ...]
Alternatives = list[Facts]


class Alternator:
    """Finds the alternatives of the schemas inside one root."""

    def __init__(self, root: Schema, checker: Checker) -> None:
        self._root = Place(root, "$")
        self._checker = checker
        self._known: dict[int, Alternatives] = {}
        self._open: set[int] = set()
        self.exclusive: list[Place] = []
        """Schemas whose `oneOf` was taken for `anyOf`: its members must be shown to exclude one another."""

    def of_all(self, places: Iterable[Place]) -> Alternatives:
        """The alternatives of schemas that must all be satisfied."""
        result: Alternatives = [()]
        for place in places:
            result = self._both(result, self.of(place), place)
        return result

    def of(self, place: Place) -> Alternatives:
        """The alternatives of one schema: none if nothing is valid, an empty one if everything is."""
        if isinstance(place.schema, bool):
            return [()] if place.schema else []
        key = id(place.schema)
        if key in self._known:
            return self._known[key]
        if key in self._open or len(self._open) > MAX_REFERENCES:
            raise self._checker.fail("it refers to itself, or through too many others", place.path)
        self._checker.check(place.schema, place.path)
        self._open.add(key)
        result: Alternatives = [(place,)] if place.schema.keys() & _SAYS_SOMETHING else [()]
        for part in self._parts(place):
            result = self._both(result, part, place)
        self._open.remove(key)
        self._known[key] = result
        return result

    def _parts(self, place: Place) -> Iterator[Alternatives]:
        if "$ref" in place:
            yield self.of(self._resolve(place))
        for index in range(len(place.get("allOf", ()))):
            yield self.of(place.at("allOf", index))
        for keyword in ("anyOf", "oneOf"):
            if keyword in place:
                members = [place.at(keyword, index) for index in range(len(place[keyword]))]
                yield self._unique(facts for member in members for facts in self.of(member))
        if len(place.get("oneOf", ())) > 1:
            self.exclusive.append(place)

    def _resolve(self, place: Place) -> Place:
        reference: str = place["$ref"]
        if not reference.startswith("#") or (len(reference) > 1 and reference[1] != "/"):
            raise self._checker.fail(f"`$ref` is not local: {reference:.80}", place.path)
        found = self._root
        for step in reference[2:].split("/") if len(reference) > 1 else ():
            found = self._inside(found, unquote(step).replace("~1", "/").replace("~0", "~"), place)
        return found

    def _inside(self, found: Place, step: str, place: Place) -> Place:
        schema: object = found.schema
        match schema:
            case dict() if step in schema:
                return found.at(step)
            case list() if step.isascii() and step.isdigit() and int(step[:6]) < len(schema):
                return found.at(int(step[:6]))
        raise self._checker.fail(f"`$ref` leads nowhere: {place['$ref']:.80}", place.path)

    def _both(self, some: Alternatives, others: Alternatives, place: Place) -> Alternatives:
        if len(some) * len(others) > MAX_ALTERNATIVES:
            raise self._checker.fail(f"more than {MAX_ALTERNATIVES} alternatives together", place.path)
        return self._unique(merged(one, other) for one in some for other in others)

    def _unique(self, alternatives: Iterable[Facts]) -> Alternatives:
        return list({identity(facts): facts for facts in alternatives}.values())


def identity(facts: Facts) -> tuple[int, ...]:
    """The same for the same facts."""
    return tuple(id(fact.schema) for fact in facts)


def merged(some: Facts, others: Facts) -> Facts:
    """Both, no fact twice."""
    return tuple({id(fact.schema): fact for fact in (*some, *others)}.values())


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.replace("$", "").replace("_", "").isalnum() else f"[{step!r:.60}]"
