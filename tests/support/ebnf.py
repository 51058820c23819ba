"""A small interpreter of the grammars' EBNF: spells random texts of a grammar, and tells what is one.

It reads the written form, as the engine does, and knows nothing of what wrote it.
"""

import random
import re
from dataclasses import dataclass, field
from functools import cached_property

_TOKEN = re.compile(
    r"""\s*(?:(?P<define>[a-z_0-9]+)\s*::=|(?P<name>[a-z_0-9]+)|(?P<text>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<class>\[(?:[^\]\\]|\\.)*\])|(?P<times>[?*+]|\{\d+(?:,\d*)?\})|(?P<look>\(=)|(?P<sign>[()|]))"""
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)


@dataclass(frozen=True)
class Node:
    kind: str  # text, class, rule, sequence, choice, repeat
    value: object = None
    items: tuple["Node", ...] = ()
    least: int = 0
    most: int | None = None


@dataclass
class Ebnf:
    """A grammar as it is written."""

    source: str
    rules: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self):
        for line in self.source.splitlines():
            tokens = [(m.lastgroup, m[m.lastgroup]) for m in _TOKEN.finditer(line)]
            assert "".join(re.sub(r"\s", "", value) for _, value in tokens).replace("::=", "") == re.sub(
                r"\s|::=", "", line
            ), f"not understood: {line}"
            (kind, name), *rest = tokens
            assert kind == "define", line
            assert name not in self.rules, f"{name} is defined twice"
            self.rules[name], rest = _choice(rest)
            if rest and rest[0][0] == "look":
                _, rest = _choice(rest[1:])
                rest = rest[1:]
            assert not rest, f"left over in {line}: {rest}"

    def accepts(self, text: str) -> bool:
        return len(text) in _Matcher(self, text).ends("root", 0)

    def sample(self, rng: random.Random, budget: int = 60) -> str:
        """A text of the grammar; after `budget` choices the shortest way out is taken."""
        return _Sampler(self, rng, budget).spell(Node("rule", "root"))

    @cached_property
    def height(self) -> dict[str, float]:
        """How deep the shortest text of each rule is nested."""
        height = dict.fromkeys(self.rules, float("inf"))
        changed = True
        while changed:
            changed = False
            for name, node in self.rules.items():
                new = 1 + self.height_of(node, height)
                if new < height[name]:
                    height[name], changed = new, True
        return height

    def height_of(self, node: Node, height: dict[str, float]) -> float:
        match node.kind:
            case "rule":
                return height[node.value]
            case "sequence":
                return max((self.height_of(item, height) for item in node.items), default=0)
            case "choice":
                return min(self.height_of(item, height) for item in node.items)
            case "repeat":
                return self.height_of(node.items[0], height) if node.least else 0
        return 0


def _choice(tokens):
    options, tokens = [], list(tokens)
    while True:
        option, tokens = _sequence(tokens)
        options.append(option)
        if not tokens or tokens[0] != ("sign", "|"):
            return (options[0] if len(options) == 1 else Node("choice", items=tuple(options))), tokens
        tokens = tokens[1:]


def _sequence(tokens):
    parts = []
    while tokens and tokens[0][0] != "look" and tokens[0] not in {("sign", "|"), ("sign", ")")}:
        kind, value = tokens[0]
        match kind:
            case "text":
                node, tokens = Node("text", _unescaped(value[1:-1])), tokens[1:]
            case "class":
                node, tokens = Node("class", _ranges(value[1:-1])), tokens[1:]
            case "name":
                node, tokens = Node("rule", value), tokens[1:]
            case "sign":
                node, tokens = _choice(tokens[1:])
                assert tokens[0] == ("sign", ")")
                tokens = tokens[1:]
            case other:
                raise AssertionError(other)
        if tokens and tokens[0][0] == "times":
            least, most = _times(tokens[0][1])
            node, tokens = Node("repeat", items=(node,), least=least, most=most), tokens[1:]
        parts.append(node)
    return (parts[0] if len(parts) == 1 else Node("sequence", items=tuple(parts))), tokens


def _times(text):
    if text in "?*+":
        return {"?": (0, 1), "*": (0, None), "+": (1, None)}[text]
    least, comma, most = text[1:-1].partition(",")
    return int(least), (int(most) if most else None) if comma else int(least)


def _unescaped(text):
    return _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else m[3], text)


def _ranges(text):
    pieces = re.findall(r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\.|.", text, re.DOTALL)
    ranges, index = [], 0
    while index < len(pieces):
        first = last = ord(_unescaped(pieces[index]))
        if index + 2 < len(pieces) and pieces[index + 1] == "-":
            last, index = ord(_unescaped(pieces[index + 2])), index + 2
        assert first <= last
        ranges.append((first, last))
        index += 1
    return tuple(ranges)


@dataclass
class _Sampler:
    grammar: Ebnf
    rng: random.Random
    budget: int

    def spell(self, node: Node) -> str:
        self.budget -= 1
        match node.kind:
            case "text":
                return node.value
            case "class":
                return self.character(node.value)
            case "rule":
                return self.spell(self.grammar.rules[node.value])
            case "sequence":
                return "".join(map(self.spell, node.items))
            case "choice":
                return self.spell(self.option(node.items))
        return "".join(self.spell(node.items[0]) for _ in range(self.times(node)))

    def option(self, items):
        if self.budget > 0:
            return self.rng.choice(items)
        return min(items, key=lambda item: self.grammar.height_of(item, self.grammar.height))

    def times(self, node):
        if self.budget <= 0:
            return node.least
        most = node.least + 3 if node.most is None else node.most
        return self.rng.choice([node.least, min(node.least + 1, most), self.rng.randint(node.least, most)])

    def character(self, ranges):
        # Rare characters as often as common ones, or only they would ever be drawn.
        first, last = self.rng.choice(ranges)
        ends = [first, last, self.rng.randint(first, last), self.rng.randint(first, min(last, first + 90))]
        return chr(self.rng.choice(ends))


@dataclass
class _Matcher:
    grammar: Ebnf
    text: str
    known: dict[tuple[str, int], set[int]] = field(default_factory=dict)

    def ends(self, rule: str, start: int) -> set[int]:
        """Where a text of `rule` that begins at `start` may end."""
        key = rule, start
        if key not in self.known:
            self.known[key] = set()
            self.known[key] = self.after(self.grammar.rules[rule], {start})
        return self.known[key]

    def after(self, node: Node, starts: set[int]) -> set[int]:
        match node.kind:
            case "text":
                return {s + len(node.value) for s in starts if self.text.startswith(node.value, s)}
            case "class":
                return {s + 1 for s in starts if s < len(self.text) and self.fits(self.text[s], node.value)}
            case "rule":
                return {end for s in starts for end in self.ends(node.value, s)}
            case "sequence":
                for item in node.items:
                    starts = self.after(item, starts)
                return starts
            case "choice":
                return {end for item in node.items for end in self.after(item, starts)}
        found = set(starts) if node.least == 0 else set()
        count = 0
        while starts and (node.most is None or count < node.most):
            starts = self.after(node.items[0], starts)
            count += 1
            if count >= node.least:
                if starts <= found:
                    break
                found |= starts
        return found

    def fits(self, character, ranges):
        return any(first <= ord(character) <= last for first, last in ranges)
