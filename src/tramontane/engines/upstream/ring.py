"""Consistent hashing: a key keeps its place while others come and go."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

_POINTS: Final = 128
"""Of each name: with so many, shares of keys differ by a tenth or so."""


class HashRing:
    """Names on a ring; a key belongs to the first name behind it."""

    def __init__(self, names: Sequence[str]) -> None:
        points = sorted(
            (_place(f"{number} {name}".encode()), index)
            for index, name in enumerate(names)
            for number in range(_POINTS)
        )
        self._places = [place for place, _ in points]
        self._indices = [index for _, index in points]
        self._count = len(names)

    def walk(self, key: bytes) -> Iterator[int]:
        """Indices of all names, in the order in which `key` prefers them."""
        start = bisect_right(self._places, _place(key))
        seen: set[int] = set()
        for step in range(len(self._indices)):
            index = self._indices[(start + step) % len(self._indices)]
            if index not in seen:
                seen.add(index)
                yield index
                if len(seen) == self._count:
                    return


def _place(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())
