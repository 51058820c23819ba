"""Deterministic automata of patterns.

An engine that follows a pattern of repetitions within repetitions by its parts goes all the ways at once in
which a text can be cut into them, for seconds a token. An automaton goes one. It also tells what several
patterns and a length have in common.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeVar

from tramontane.prompts.grammar.expressions import (
    Characters,
    Choice,
    Expression,
    Repeat,
    Rule,
    Sequence,
    Text,
    characters,
)

MAX_STATES: Final = 2048
_MAX_PLACES: Final = 8 * MAX_STATES
Edge = tuple[int, int, int]
"""First and last code point, and the state that they lead to."""
State = TypeVar("State", bound=Hashable)


class TooLargeError(ValueError):
    """The automaton would have too many states, or take too long to make."""


@dataclass(slots=True)
class Work:
    """What may still be done for one schema, in places looked at: a second or two in all."""

    left: int = 2_000_000

    def spend(self, places: int) -> None:
        """Do so much of it."""
        self.left -= places
        if self.left < 0:
            raise TooLargeError


@dataclass(frozen=True, slots=True)
class Automaton:
    """Begins in state 0. The edges of a state are in order and apart; what has none is not accepted."""

    edges: tuple[tuple[Edge, ...], ...]
    accepting: tuple[bool, ...]


def lengths(automaton: Automaton) -> tuple[int, int | None]:
    """A lower and an upper bound of how long the texts are that it accepts; None is without bound."""
    shortest, level, seen = 0, {0}, {0}
    while not any(automaton.accepting[state] for state in level):
        level = {to for state in level for _, _, to in automaton.edges[state]} - seen
        if not level:
            break
        seen |= level
        shortest += 1
    return shortest, _longest(automaton)


def _longest(automaton: Automaton) -> int | None:
    """The length of the longest way. States are taken once all ways to them are: a circle never is."""
    ways_to = Counter(to for edges in automaton.edges for _, _, to in edges)
    longest = [0] * len(automaton.edges)
    waiting = [] if ways_to[0] else [0]
    done = 0
    while waiting:
        state = waiting.pop()
        done += 1
        for _, _, to in automaton.edges[state]:
            longest[to] = max(longest[to], longest[state] + 1)
            ways_to[to] -= 1
            if not ways_to[to]:
                waiting.append(to)
    return max(longest) if done == len(longest) else None


def automaton_of(expression: Expression, work: Work) -> Automaton:
    """The automaton of all texts of an expression without rules.

    Raises:
        TooLargeError: it has too many states.
    """
    net = _Net(work)
    start = net.new_place()
    end = net.add(expression, start)
    return _explored(net.closure({start}), net.edges_from, lambda places: end in places)


def intersection(one: Automaton, other: Automaton, work: Work) -> Automaton:
    """The automaton of the texts that both accept.

    Raises:
        TooLargeError: it has too many states.
    """
    return _explored(
        (0, 0),
        lambda pair: _common(one.edges[pair[0]], other.edges[pair[1]], work),
        lambda pair: one.accepting[pair[0]] and other.accepting[pair[1]],
    )


def _common(
    some: tuple[Edge, ...], others: tuple[Edge, ...], work: Work
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    work.spend(len(some) * len(others))
    for first, last, to in some:
        for other_first, other_last, other_to in others:
            if first <= other_last and other_first <= last:
                yield max(first, other_first), min(last, other_last), (to, other_to)


def _explored(
    start: State,
    edges_of: Callable[[State], Iterable[tuple[int, int, State]]],
    is_accepting: Callable[[State], bool],
) -> Automaton:
    """The automaton of all states that can be reached."""
    numbers = {start: 0}
    states = [start]
    edges: list[tuple[Edge, ...]] = []
    for state in states:  # grows on the way
        found = []
        for first, last, target in edges_of(state):
            if target not in numbers:
                numbers[target] = len(states)
                states.append(target)
            found.append((first, last, numbers[target]))
        if len(states) > MAX_STATES:
            raise TooLargeError
        edges.append(tuple(sorted(found)))
    return Automaton(tuple(edges), tuple(map(is_accepting, states)))


@dataclass(slots=True)
class _Net:
    """Places with edges between them, and free ways: Thompson's construction."""

    work: Work
    edges: list[list[Edge]] = field(default_factory=list)
    free: list[list[int]] = field(default_factory=list)

    def new_place(self) -> int:
        if len(self.edges) >= _MAX_PLACES:
            raise TooLargeError
        self.edges.append([])
        self.free.append([])
        return len(self.edges) - 1

    def add(self, expression: Expression, start: int) -> int:
        """Ways from `start` that spell the expression; the place where they all end."""
        match expression:
            case Text(text):
                for character in text:
                    start = self._step(characters(character), start)
                return start
            case Characters():
                return self._step(expression, start)
            case Sequence(parts):
                for part in parts:
                    start = self.add(part, start)
                return start
            case Choice(options):
                end = self.new_place()
                for option in options:
                    self.free[self.add(option, start)].append(end)
                return end
            case Repeat(item, least, most):
                return self._repeat(item, least, most, start)
            case Rule():
                raise AssertionError("patterns have no rules")

    def _step(self, members: Characters, start: int) -> int:
        end = self.new_place()
        self.edges[start] += [(first, last, end) for first, last in members.ranges]
        return end

    def _repeat(self, item: Expression, least: int, most: int | None, start: int) -> int:
        for _ in range(least):
            start = self.add(item, start)
        if most is None:
            again = self.new_place()
            self.free[start].append(again)
            self.free[self.add(item, again)].append(again)
            return again
        end = self.new_place()
        for _ in range(most - least):
            self.free[start].append(end)
            start = self.add(item, start)
        self.free[start].append(end)
        return end

    def closure(self, places: Iterable[int]) -> frozenset[int]:
        """`places` and all that free ways lead to from there."""
        reached = set(places)
        waiting = list(reached)
        while waiting:
            for place in self.free[waiting.pop()]:
                if place not in reached:
                    reached.add(place)
                    waiting.append(place)
        self.work.spend(len(reached))
        return frozenset(reached)

    def edges_from(self, places: frozenset[int]) -> Iterator[tuple[int, int, frozenset[int]]]:
        """Edges of several places: pieces that are apart, each to all places that its characters lead to."""
        edges = [(first, last + 1, to) for place in places for first, last, to in self.edges[place]]
        cuts = sorted({cut for first, behind, _ in edges for cut in (first, behind)})
        self.work.spend(len(edges) * len(cuts))
        for first, behind in pairwise(cuts):
            targets = {to for low, high, to in edges if low <= first and behind <= high}
            if targets:
                yield first, behind - 1, self.closure(targets)
