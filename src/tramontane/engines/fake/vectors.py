"""Texts as points: the hashing trick over words and their trigrams."""

import re
from collections.abc import Iterator
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

EMBEDDING_DIMENSION: Final = 1024

_WORD: Final = re.compile(r"\w+|[^\w\s]")
_TRIGRAM_WEIGHT: Final = 0.5
_SIGN_BIT: Final = 1 << 31


def hashed_vector(text: str) -> npt.NDArray[np.float32]:
    """The L2-normalised sum of the text's features, each a coordinate and a sign by its hash."""
    vector = np.zeros(EMBEDDING_DIMENSION, np.float32)
    for feature, weight in _features(text.casefold()):
        digest = crc32(feature.encode(errors="replace"))
        vector[digest % EMBEDDING_DIMENSION] += weight if digest & _SIGN_BIT else -weight
    norm = np.linalg.norm(vector)
    if norm == 0:  # no feature, or features that cancel one another out
        vector[0] = norm = np.float32(1.0)
    return vector / norm


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(text):
        yield word, 1.0
        padded = f" {word} "
        for start in range(len(padded) - 2):
            yield padded[start : start + 3], _TRIGRAM_WEIGHT
