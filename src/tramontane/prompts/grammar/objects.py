"""Objects: properties in the order of the schema, then additional ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tramontane.prompts.grammar.any_json import KEY_END, QUOTE, RAW_CHARACTER, STRING
from tramontane.prompts.grammar.expressions import (
    EMPTY,
    NOTHING,
    Expression,
    Text,
    characters,
    choice,
    repeat,
    sequence,
    without,
)
from tramontane.prompts.grammar.facts import Facts, Place
from tramontane.prompts.grammar.keywords import written
from tramontane.prompts.grammar.wellformed import MAX_ITEMS, MAX_PROPERTIES
from tramontane.prompts.grammar.writer import Writer

COMMA: Final = Text(", ")
_MAX_STATES: Final = 4096
"""Of counted properties: how many there are, times how many are counted."""


@dataclass(frozen=True, slots=True)
class Property:
    """A name and its value, as one expression."""

    pair: Expression
    is_required: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many properties there may be."""

    least: int
    most: int | None

    @property
    def are_open(self) -> bool:
        """Nothing has to be counted."""
        return self.least == 0 and self.most is None


def object_expression(writer: Writer, facts: Facts) -> Expression:
    """The object that `facts` describe."""
    names = _names(facts)
    required = {name for fact in facts for name in fact.get("required", ())}
    _check(writer, facts, names)
    properties = []
    for name in names:
        places = property_places(facts, name)
        if places is not None:
            properties.append(Property(_pair(writer, name, places), name in required))
        elif name in required:
            raise writer.fail(f"{name!r:.60} is `required`, but no property may have that name", facts[0])
    extra = _extra_pair(writer, facts, names)
    bounds = _bounds(writer, facts, len(required), extra)
    tails = _Tails(writer, facts[0], properties, extra, bounds)
    return sequence(Text("{"), tails.whole(), Text("}"))


def property_places(facts: Facts, name: str) -> list[Place] | None:
    """The schemas for the value of a property; None if there must be no such property."""
    places = []
    for fact in facts:
        if name in fact.get("properties", ()):
            places.append(fact.at("properties", name))
        elif fact.get("additionalProperties") is False:
            return None
        elif "additionalProperties" in fact:
            places.append(fact.at("additionalProperties"))
    return places


def _names(facts: Facts) -> list[str]:
    declared = [name for fact in facts for name in fact.get("properties", ())]
    required = [name for fact in facts for name in fact.get("required", ())]
    return list(dict.fromkeys(declared + required))


def _check(writer: Writer, facts: Facts, names: Sequence[str]) -> None:
    if len(names) > MAX_PROPERTIES:
        raise writer.fail(f"more than {MAX_PROPERTIES} properties", facts[0])
    for fact in facts:
        if names and fact.get("propertyNames", True) is not True:
            raise writer.fail("`propertyNames` beside named properties cannot be enforced", fact)
        if names and fact.get("patternProperties"):
            raise writer.fail("`patternProperties` beside named properties cannot be enforced", fact)


def _pair(writer: Writer, name: str, places: list[Place]) -> Expression:
    return sequence(Text(f"{written(name)}: "), writer.value(places))


def _extra_pair(writer: Writer, facts: Facts, names: Sequence[str]) -> Expression:
    """A property that is not named. Where the schema is silent on them there are none, if it names others."""
    patterns = [fact for fact in facts if fact.get("patternProperties")]
    if patterns:
        return _pattern_pair(writer, facts, patterns)
    speaking = [fact for fact in facts if "additionalProperties" in fact]
    if any(fact["additionalProperties"] is False for fact in speaking) or (names and not speaking):
        return NOTHING
    value = writer.value([fact.at("additionalProperties") for fact in speaking])
    key_facts = [fact.at("propertyNames") for fact in facts if "propertyNames" in fact]
    key = writer.string(key_facts) if key_facts else _key_except(writer, names)
    return sequence(key, Text(": "), value)


def _pattern_pair(writer: Writer, facts: Facts, patterns: Sequence[Place]) -> Expression:
    is_open = any(fact.get("additionalProperties", False) is not False for fact in facts)
    if len(patterns) > 1 or len(patterns[0]["patternProperties"]) > 1 or is_open:
        raise writer.fail("`patternProperties` is enforced alone and with one pattern only", patterns[0])
    [pattern] = patterns[0]["patternProperties"]
    key = writer.pattern(pattern, patterns[0])
    return sequence(key, Text(": "), writer.value([patterns[0].at("patternProperties", pattern)]))


def _bounds(writer: Writer, facts: Facts, required: int, extra: Expression) -> Bounds:
    least = max(int(fact.get("minProperties", 0)) for fact in facts)
    most = min((int(fact["maxProperties"]) for fact in facts if "maxProperties" in fact), default=None)
    if max(least, most or 0) > MAX_ITEMS:
        raise writer.fail(f"`minProperties` and `maxProperties` are at most {MAX_ITEMS}", facts[0])
    least = least if least > required else 0
    if least > required + 1 and extra != NOTHING:
        raise writer.fail("`minProperties` cannot be enforced, as names might repeat", facts[0])
    return Bounds(least, most)


class _Tails:
    """What may come after the first so many properties, in rules of their own where they are shared."""

    def __init__(
        self, writer: Writer, place: Place, properties: Sequence[Property], extra: Expression, bounds: Bounds
    ) -> None:
        self._writer = writer
        self._properties = properties
        self._extra = extra
        self._bounds = bounds
        self._last_counted = 1 if bounds.are_open else max(bounds.least, bounds.most or 0)
        if len(properties) * self._last_counted > _MAX_STATES:
            raise writer.fail("too many properties to count", place)

    def whole(self) -> Expression:
        """All that is between the braces."""
        tails: dict[tuple[int, int], Expression] = {}
        for index in range(len(self._properties), -1, -1):
            for count in range(self._last_counted + 1):
                tail = self._tail(index, count, tails)
                tails[index, count] = self._writer.named(tail) if self._is_shared(index) else tail
        return tails[0, 0]

    def _is_shared(self, index: int) -> bool:
        """Whether more than one way leads to this tail. Behind a required property there is only one."""
        return index == 0 or not self._properties[index - 1].is_required

    def _tail(self, index: int, count: int, tails: dict[tuple[int, int], Expression]) -> Expression:
        """The rest from property `index` on, `count` of them being there already."""
        if index == len(self._properties):
            return self._end(count)
        here = self._properties[index]
        with_it: Expression = NOTHING
        if self._bounds.most is None or count < self._bounds.most:
            following = tails[index + 1, min(count + 1, self._last_counted)]
            with_it = sequence(COMMA if count else EMPTY, here.pair, following)
        if here.is_required:
            return with_it
        without_it = tails[index + 1, count]
        return choice(with_it, without_it)

    def _end(self, count: int) -> Expression:
        missing = self._bounds.least - count
        most = None if self._bounds.most is None else self._bounds.most - count
        if missing > 1 or self._extra == NOTHING:
            return EMPTY if missing <= 0 else NOTHING
        if count:
            return repeat(sequence(COMMA, self._extra), max(missing, 0), most)
        more = repeat(sequence(COMMA, self._extra), 0, None if most is None else most - 1)
        pairs = sequence(self._extra, more)
        return pairs if missing > 0 else choice(pairs, EMPTY)


def _key_except(writer: Writer, names: Sequence[str]) -> Expression:
    """A name that is none of `names`: a second value of a property would replace the first.

    It is written without escapes, since they could spell one of the names.
    """
    if not names:
        return STRING
    rest = KEY_END
    taken = {name for name in names if written(name) == f'"{name}"'}
    beginnings = {name[:length] for name in taken for length in range(len(name) + 1)} | {""}
    following: dict[str, dict[str, Expression]] = {beginning: {} for beginning in beginnings}
    for beginning in sorted(beginnings, key=len, reverse=True):
        others = without(RAW_CHARACTER, characters(*following[beginning]))
        known = (sequence(Text(character), tail) for character, tail in following[beginning].items())
        end = NOTHING if beginning in taken else QUOTE
        state = writer.named(choice(end, sequence(others, rest), *known))
        if not beginning:
            return sequence(QUOTE, state)
        following[beginning[:-1]][beginning[-1]] = state
    raise AssertionError("the empty beginning comes last")
