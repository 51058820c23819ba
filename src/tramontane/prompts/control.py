"""Control tokens, told apart by who wrote them: the template's count, a user's are text.

A chat template is rendered to one string, in which `<|im_end|>` looks the same whether the template wrote it
or a message brought it along. So the messages go into the template under a `Veil`: one character of whatever
in them could be read as a control token is exchanged for a character that occurs nowhere else. See
`docs/decisions/0005-control-tokens-in-user-text.md`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from tramontane.errors import InvalidRequestError

_PRIVATE_USE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))


class ControlTokens:
    """The control tokens of a vocabulary, by the text that they are written as."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        self.ids = dict(ids)
        # Of two tokens that begin alike the longer one is meant, as in the tokenizers themselves.
        texts = sorted(self.ids, key=len, reverse=True)
        any_token = "|".join(map(re.escape, texts)) or r"(?!)"
        self._token = re.compile(any_token)
        self._first_character = re.compile(rf"(?={any_token}).", re.DOTALL)
        self._endings = tuple({text[start:] for text in texts for start in range(1, len(text))})
        self._beginnings = tuple({text[:end] for text in texts for end in range(1, len(text))})

    def split(self, rendered: str) -> Iterator[str | int]:
        """`rendered` as the ids of its control tokens and the texts between them, which are not empty."""
        end = 0
        for match in self._token.finditer(rendered):
            if match.start() > end:
                yield rendered[end : match.start()]
            yield self.ids[match.group()]
            end = match.end()
        if end < len(rendered):
            yield rendered[end:]

    def are_in(self, text: str) -> bool:
        """Whether a control token is written in `text`."""
        return self._token.search(text) is not None

    def doubtful(self, text: str) -> set[int]:
        """Indexes of characters without which `text` reads as no control token, whatever surrounds it."""
        indexes: set[int] = set()
        if self.are_in(text):
            indexes.update(match.start() for match in self._first_character.finditer(text))
        # A token may also come about where the text meets the template's, or where a template has trimmed it.
        begins, ends = text.lstrip(), text.rstrip()
        if begins.startswith(self._endings):
            indexes.add(len(text) - len(begins))
        if ends.endswith(self._beginnings):
            indexes.add(len(ends) - 1)
        return indexes


class Veil:
    """Texts of one request, made safe for a template. `lift` undoes in what was rendered what `cover` did.

    Args:
        control: the tokens to hide.
        texts: all texts that will be covered; the characters that stand in for others occur in none of them.
    """

    def __init__(self, control: ControlTokens, texts: Iterable[str]) -> None:
        self._control = control
        self._texts = texts
        self._free: Iterator[int] | None = None
        self._stands_for: dict[int, str] = {}
        self._stand_ins: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Whether anything had to be covered."""
        return bool(self._stands_for)

    def cover(self, text: str) -> str:
        """`text` with no control token in it and as long as before.

        Raises:
            InvalidRequestError: the texts leave no unused character.
        """
        doubtful = self._control.doubtful(text)
        if not doubtful:
            return text
        characters = list(text)
        for index in doubtful:
            characters[index] = self._stand_in(characters[index])
        return "".join(characters)

    def lift(self, rendered: str) -> str:
        """`rendered` with the characters that were covered."""
        return rendered.translate(self._stands_for)

    def _stand_in(self, character: str) -> str:
        if character not in self._stand_ins:
            code_point = self._unused()
            self._stands_for[code_point] = character
            self._stand_ins[character] = chr(code_point)
        return self._stand_ins[character]

    def _unused(self) -> int:
        if self._free is None:
            used = set(map(ord, set(chain.from_iterable(self._texts))))
            self._free = (code_point for code_point in chain(*_PRIVATE_USE) if code_point not in used)
        code_point = next(self._free, None)
        if code_point is None:
            raise InvalidRequestError("The messages use every private-use character of Unicode")
        return code_point


def texts_in(value: Any) -> Iterator[str]:  # noqa: ANN401  # any JSON
    """All strings of a JSON value, keys included."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from texts_in(item)
        case dict():
            for key, item in value.items():
                yield key
                yield from texts_in(item)


def veiled(value: Any, veil: Veil) -> Any:  # noqa: ANN401  # any JSON
    """A JSON value with all its strings under `veil`."""
    match value:
        case str():
            return veil.cover(value)
        case list():
            return [veiled(item, veil) for item in value]
        case dict():
            return {veil.cover(key): veiled(item, veil) for key, item in value.items()}
    return value
