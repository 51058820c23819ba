"""How much of a prompt the pipeline takes from its prefix cache: an estimate, as it tells nobody."""

from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b

BLOCK_TOKENS = 32
"""Tokens in a block of the CPU plugin's paged KV cache."""


class PrefixEstimate:
    """Remembers which whole blocks of tokens the cache held last.

    A block is known by the digest of all tokens up to its end, so that equal blocks after different prefixes
    differ. The library keeps the blocks used last within the same bound; when the cache is full the two may
    disagree.
    """

    def __init__(self, blocks: int) -> None:
        self._capacity = blocks
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def count_cached(self, token_ids: Sequence[int]) -> int:
        """Tokens of the longest known prefix in whole blocks; not all, as the last is always computed."""
        cached = 0
        for digest in _block_digests(token_ids):
            if digest not in self._known:
                break
            self._known.move_to_end(digest)
            cached += BLOCK_TOKENS
        return min(cached, len(token_ids) - 1)

    def add(self, token_ids: Sequence[int]) -> None:
        """The cache now holds these tokens."""
        for digest in _block_digests(token_ids):
            self._known[digest] = None
            self._known.move_to_end(digest)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)


def _block_digests(token_ids: Sequence[int]) -> Iterator[bytes]:
    data = memoryview(array("i", token_ids)).cast("B")
    size = BLOCK_TOKENS * array("i").itemsize
    digest = b""
    for start in range(0, len(data) - size + 1, size):
        digest = blake2b(data[start : start + size], key=digest, digest_size=16).digest()
        yield digest
