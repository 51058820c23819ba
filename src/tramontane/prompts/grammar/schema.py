"""JSON Schema → expressions. What the text of such an expression says is valid; no keyword is half obeyed."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from tramontane.errors import SchemaError
from tramontane.prompts.grammar import any_json
from tramontane.prompts.grammar.arrays import array_expression
from tramontane.prompts.grammar.automata import Automaton, TooLargeError, Work, automaton_of
from tramontane.prompts.grammar.disjoint import Disjointness
from tramontane.prompts.grammar.ebnf import Definition
from tramontane.prompts.grammar.enums import enumerated, listed_values
from tramontane.prompts.grammar.expressions import Expression, Rule, choice
from tramontane.prompts.grammar.facts import Alternator, Facts, Place, identity
from tramontane.prompts.grammar.formats import FORMATS, UNENFORCED, automaton_of_format
from tramontane.prompts.grammar.keywords import KEYWORDS_OF, TYPES, Schema, types_named
from tramontane.prompts.grammar.numbers import Bound, integer_between, number_between
from tramontane.prompts.grammar.objects import object_expression
from tramontane.prompts.grammar.patterns import PatternError, expression_from_pattern
from tramontane.prompts.grammar.strings import MAX_LENGTH, string_of_form, string_of_length
from tramontane.prompts.grammar.wellformed import Checker

_NUMBERS: Final = frozenset({"integer", "fraction"})


class SchemaWriter:
    """Writes one schema into `rules`.

    Args:
        rules: of the whole grammar; they begin with those of any JSON.
        error: what is raised.
    """

    def __init__(self, rules: dict[str, Definition], error: type[SchemaError]) -> None:
        self._rules = rules
        self._checker = Checker(error)
        self._waiting: list[tuple[str, Callable[[SchemaWriter, Facts], Expression], Facts]] = []
        self._names: dict[tuple[str, tuple[int, ...]], str] = {}
        self._work = Work()
        self._automata: dict[str, Automaton] = {}
        self._strings: dict[tuple[int | None, ...], Expression] = {}
        self._alternator: Alternator

    def write(self, schema: Schema) -> Expression:
        """A value of `schema`.

        Raises:
            SchemaError: it is not valid, cannot be enforced, is too big, or nothing satisfies it.
        """
        self._checker.check_size(schema)
        self._alternator = Alternator(schema, self._checker)
        root = self.value([Place(schema, "$")])
        while self._waiting:
            name, write, facts = self._waiting.pop()
            self._rules[name] = Definition(write(self, facts))
        Disjointness(self._alternator).check_all(self._checker)
        return root

    def value(self, places: Sequence[Place]) -> Expression:
        """A value for which all of the schemas hold."""
        return choice(*map(self._value, self._alternator.of_all(places)))

    def string(self, places: Sequence[Place]) -> Expression:
        """A string for which all of the schemas hold."""
        is_string = Place({"type": "string"}, places[0].path)
        return choice(*(self._value((*facts, is_string)) for facts in self._alternator.of_all(places)))

    def pattern(self, pattern: str, place: Place) -> Expression:
        """A string in which the pattern is found."""
        return self._string_of_form([self._automaton(pattern, place)], 0, None)

    def named(self, body: Expression) -> Expression:
        """`body` as a rule of its own."""
        name = self._new_name()
        self._rules[name] = Definition(body)
        return Rule(name)

    def fail(self, problem: str, place: Place) -> SchemaError:
        """The error to raise for what is said at `place`."""
        return self._checker.fail(problem, place.path)

    def _value(self, facts: Facts) -> Expression:
        """A value for which all facts are true."""
        values = listed_values(facts)
        if values is not None:
            return enumerated(self, facts, values)
        types = allowed_types(facts)
        if types == TYPES:
            return any_json.VALUE
        options = [self._of_type(kind, facts) for kind in ("object", "array", "string") if kind in types]
        if types & _NUMBERS:
            options.append(self._number(facts, is_integer="fraction" not in types))
        if "boolean" in types:
            options.append(any_json.BOOLEAN)
        if "null" in types:
            options.append(any_json.NULL)
        return choice(*options)

    def _of_type(self, kind: str, facts: Facts) -> Expression:
        speaking = tuple(fact for fact in facts if speaks_of(kind, fact))
        match kind:
            case "object":
                return self._later(kind, object_expression, speaking) if speaking else any_json.OBJECT
            case "array":
                return self._later(kind, array_expression, speaking) if speaking else any_json.ARRAY
        return self._string(speaking)

    def _later(
        self, kind: str, write: Callable[["SchemaWriter", Facts], Expression], facts: Facts
    ) -> Expression:
        """A rule of its own, written when its turn comes: schemas may be deep, and hold themselves."""
        key = kind, identity(facts)
        if key not in self._names:
            self._names[key] = self._new_name()
            self._waiting.append((self._names[key], write, facts))
        return Rule(self._names[key])

    def _new_name(self) -> str:
        name = f"rule_{len(self._rules)}"
        self._rules[name] = Definition(choice())
        return name

    def _string(self, facts: Facts) -> Expression:
        least = max((int(fact.get("minLength", 0)) for fact in facts), default=0)
        most = min((int(fact["maxLength"]) for fact in facts if "maxLength" in fact), default=None)
        if max(least, most or 0) > MAX_LENGTH:
            raise self.fail(f"`minLength` and `maxLength` are at most {MAX_LENGTH}", facts[0])
        forms = [form for fact in facts for form in self._forms(fact)]
        if not forms:
            return string_of_length(self._rules, least, most)
        try:
            return self._string_of_form(forms, least, most)
        except TooLargeError as error:
            raise self.fail("`pattern`, `format` and lengths are too much together", facts[0]) from error

    def _string_of_form(self, forms: Sequence[Automaton], least: int, most: int | None) -> Expression:
        """Written once, however often the schema asks for it."""
        key = *map(id, forms), least, most
        if key not in self._strings:
            self._strings[key] = string_of_form(self._rules, forms, least, most, self._work)
        return self._strings[key]

    def _forms(self, fact: Place) -> list[Automaton]:
        forms = []
        if "pattern" in fact:
            forms.append(self._automaton(fact["pattern"], fact))
        name = fact.get("format")
        if name in UNENFORCED:
            raise self.fail(f"`format` {name!r} cannot be enforced", fact)
        if name in FORMATS:
            forms.append(automaton_of_format(name))
        return forms

    def _automaton(self, pattern: str, place: Place) -> Automaton:
        try:
            if pattern not in self._automata:
                self._automata[pattern] = automaton_of(expression_from_pattern(pattern), self._work)
        except PatternError as error:
            raise self.fail(f"`pattern` {pattern!r:.60}: {error}", place) from error
        except TooLargeError as error:
            raise self.fail(f"`pattern` {pattern!r:.60}: it is too complex", place) from error
        return self._automata[pattern]

    def _number(self, facts: Facts, *, is_integer: bool) -> Expression:
        for fact in facts:
            if fact.get("multipleOf", 1) != 1:
                raise self.fail("`multipleOf` cannot be enforced, unless it is 1", fact)
            is_integer = is_integer or "multipleOf" in fact
        between = integer_between if is_integer else number_between
        return between(lower_bound(facts), upper_bound(facts))


def allowed_types(facts: Facts) -> frozenset[str]:
    """The types that a value may have: those that are declared, or else those that the keywords speak of."""
    declared = [types_named(fact["type"]) for fact in facts if "type" in fact]
    if declared:
        return TYPES.intersection(*declared)
    implied: set[str] = set()
    for kind in KEYWORDS_OF:
        if any(speaks_of(kind, fact) for fact in facts):
            implied |= types_named(kind)
    return frozenset(implied) or TYPES


def speaks_of(kind: str, fact: Place) -> bool:
    """Whether the fact has a keyword for values of this type."""
    return isinstance(fact.schema, dict) and not fact.schema.keys().isdisjoint(KEYWORDS_OF[kind])


def lower_bound(facts: Facts) -> Bound | None:
    """The highest lower bound."""
    bounds = _bounds(facts, "minimum", "exclusiveMinimum")
    return max(bounds, key=lambda bound: (bound.value, not bound.inclusive), default=None)


def upper_bound(facts: Facts) -> Bound | None:
    """The lowest upper bound."""
    bounds = _bounds(facts, "maximum", "exclusiveMaximum")
    return min(bounds, key=lambda bound: (bound.value, bound.inclusive), default=None)


def _bounds(facts: Facts, inclusive: str, exclusive: str) -> list[Bound]:
    bounds = []
    for keyword in (inclusive, exclusive):
        found: list[Any] = [fact[keyword] for fact in facts if keyword in fact]
        bounds += [Bound(Decimal(repr(value)), keyword == inclusive) for value in found]
    return bounds
