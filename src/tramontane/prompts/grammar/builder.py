"""Grammars for answers that must have a form: JSON of a schema, any JSON object, tool calls of those."""

from collections.abc import Iterable, Mapping

from tramontane.errors import SchemaError
from tramontane.prompts.grammar import any_json, ebnf
from tramontane.prompts.grammar.expressions import (
    ANY_CHARACTER,
    EMPTY,
    NOTHING,
    Characters,
    Expression,
    Rule,
    Text,
    characters,
    choice,
    joined,
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

    Args:
        control_characters: what stands for control tokens in the grammar, by their ids.
        stop_ids: the control tokens that end an answer.
    """

    def __init__(
        self, control_characters: Mapping[int, str] | None = None, stop_ids: Iterable[int] = ()
    ) -> None:
        self._rules: dict[str, ebnf.Definition] = dict(any_json.RULES)
        self._control_characters = control_characters or {}
        self._ends = [self._control_characters[i] for i in stop_ids if i in self._control_characters]

    def literal(self, text: str) -> Ref:
        """Exactly `text`."""
        return Text(text)

    def token(self, token_id: int) -> str:
        """What stands for a control token. Raises KeyError if nothing does."""
        return self._control_characters[token_id]

    def tag(self, text: str, tokens: Mapping[str, int]) -> str:
        """A tag that is text, unless it is one of the control `tokens`."""
        return self.token(tokens[text]) if text in tokens else text

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

    def text_until(self, mark: str, then: Ref, *, optional: bool = False, tokens: Iterable[int] = ()) -> Ref:
        """Any text without `mark`, then `mark` and `then`; if that is `optional`, or such a text alone.

        `tokens` are control tokens that may be in the text.
        """
        prefix = f"text_{len(self._rules)}_"
        end = EMPTY if optional else NOTHING
        # The engine's library loses stop tokens where nearly all tokens are possible, unless they are text.
        ends = self._ends if optional else ()
        control = characters(*map(self.token, tokens), *ends)
        text = Characters(joined((*ANY_CHARACTER.ranges, *control.ranges)))
        for known in range(len(mark)):
            following = {character: _known_of(mark, mark[:known] + character) for character in mark}
            paths = [
                sequence(Text(character), then if state == len(mark) else Rule(f"{prefix}{state}"))
                for character, state in following.items()
                if state
            ]
            marked = characters(*(character for character, state in following.items() if state))
            other = sequence(without(text, marked), Rule(f"{prefix}0"))
            self._rules[f"{prefix}{known}"] = ebnf.Definition(choice(end, *paths, other))
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
