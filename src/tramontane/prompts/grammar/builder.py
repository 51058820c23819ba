"""Grammars for answers that must have a form: JSON of a schema, any JSON object, tool calls of those."""

from tramontane.errors import SchemaError
from tramontane.prompts.grammar import any_json, ebnf
from tramontane.prompts.grammar.expressions import (
    ANY_CHARACTER,
    EMPTY,
    Expression,
    Rule,
    Text,
    characters,
    choice,
    repeat,
    sequence,
    without,
)
from tramontane.prompts.grammar.keywords import Schema
from tramontane.prompts.grammar.schema import SchemaWriter
from tramontane.prompts.grammar.weight import MAX_WEIGHT, weight_of

Ref = Expression
"""A piece of a grammar; opaque to those who build with it."""


class GrammarBuilder:
    """Puts the grammar of one answer together.

    JSON is compact as Python's `json.dumps` writes it.
    """

    def __init__(self) -> None:
        self._rules: dict[str, ebnf.Definition] = dict(any_json.RULES)

    def literal(self, text: str) -> Ref:
        """Exactly `text`."""
        return Text(text)

    def any_object(self) -> Ref:
        """Any JSON object."""
        return any_json.OBJECT

    def schema(self, json_schema: Schema, error: type[SchemaError] = SchemaError) -> Ref:
        """A JSON value that satisfies `json_schema`; `docs/structured-output.md` says what is enforced.

        Raises:
            SchemaError: it is not valid, too big, or cannot be enforced; in the form of `error`.
        """
        return SchemaWriter(self._rules, error).write(json_schema)

    def sequence(self, *refs: Ref) -> Ref:
        """All of them, one after the other."""
        return sequence(*refs)

    def choice(self, *refs: Ref) -> Ref:
        """One of them."""
        return choice(*refs)

    def repeat(self, ref: Ref, at_least: int, separator: str, at_most: int | None = None) -> Ref:
        """`ref` as often as the model likes within these bounds, `separator` between."""
        if at_most == 0:
            return EMPTY
        more = repeat(
            sequence(Text(separator), ref),
            max(at_least - 1, 0),
            None if at_most is None else at_most - 1,
        )
        once_or_more = sequence(ref, more)
        return once_or_more if at_least else repeat(once_or_more, 0, 1)

    def text_until(self, mark: str, then: Ref) -> Ref:
        """Any text without `mark`, or such a text, `mark` and `then`."""
        prefix = f"text_{len(self._rules)}_"
        for known in range(len(mark)):
            following = {character: _known_of(mark, mark[:known] + character) for character in mark}
            paths = [
                sequence(Text(character), then if state == len(mark) else Rule(f"{prefix}{state}"))
                for character, state in following.items()
                if state
            ]
            marked = characters(*(character for character, state in following.items() if state))
            other = sequence(without(ANY_CHARACTER, marked), Rule(f"{prefix}0"))
            self._rules[f"{prefix}{known}"] = ebnf.Definition(choice(EMPTY, *paths, other))
        return Rule(f"{prefix}0")

    def build(self, root: Ref) -> str:
        """The grammar whose texts are those of `root`, in the dialect of `SamplingParams.grammar`.

        Raises:
            SchemaError: no finite text has this form, or it would take an engine too long to read.
        """
        rules = ebnf.needed_rules(root, self._rules)
        if rules is None:
            raise SchemaError("no finite value can satisfy it")
        if weight_of(rules.values()) > MAX_WEIGHT:
            raise SchemaError("it makes too large a grammar")
        return ebnf.written(rules)


def _known_of(mark: str, text: str) -> int:
    """How much of `mark` the end of `text` is."""
    return next(length for length in range(len(text), -1, -1) if mark.startswith(text[len(text) - length :]))
