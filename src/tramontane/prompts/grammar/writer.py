"""What the parts of a schema need of the whole while they are written."""

from collections.abc import Sequence
from typing import Protocol

from tramontane.errors import SchemaError
from tramontane.prompts.grammar.expressions import Expression
from tramontane.prompts.grammar.facts import Place


class Writer(Protocol):
    """Writes the schemas inside a schema."""

    def value(self, places: Sequence[Place]) -> Expression:
        """A value for which all of the schemas hold."""
        ...

    def string(self, places: Sequence[Place]) -> Expression:
        """A string for which all of the schemas hold."""
        ...

    def pattern(self, pattern: str, place: Place) -> Expression:
        """A string in which the pattern is found."""
        ...

    def named(self, body: Expression) -> Expression:
        """`body` as a rule of its own, to be used in several places."""
        ...

    def fail(self, problem: str, place: Place) -> SchemaError:
        """The error to raise for what is said at `place`."""
        ...
