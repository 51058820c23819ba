"""Rotary position embedding: how fast each pair of dimensions turns, and the ways to stretch that.

Sources: "RoFormer" (arXiv 2104.09864); "YaRN" (arXiv 2309.00071); the rules "llama3", "linear" and "yarn"
as in the `transformers` library.
"""

from dataclasses import dataclass
from math import ceil, floor, inf, log

import numpy as np
import numpy.typing as npt

from tramontane.errors import ModelStoreError

_MAX_HEAD_SIZE = 1024

Frequencies = npt.NDArray[np.float64]
"""Radians a position, one for each pair of dimensions: [head_size / 2], falling."""


@dataclass(frozen=True, slots=True)
class Llama3Scaling:
    """Slow frequencies are divided by `factor`, fast ones kept, those between blended."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int

    def apply(self, frequencies: Frequencies) -> Frequencies:
        """The frequencies of the longer context."""
        wavelengths = 2 * np.pi / frequencies
        turns = self.original_max_position_embeddings / wavelengths
        span = self.high_freq_factor - self.low_freq_factor
        keep = np.clip((turns - self.low_freq_factor) / span, 0, 1)
        return keep * frequencies + (1 - keep) * frequencies / self.factor


@dataclass(frozen=True, slots=True)
class LinearScaling:
    """Every frequency is divided by `factor`: positions are interpolated."""

    factor: float

    def apply(self, frequencies: Frequencies) -> Frequencies:
        """The frequencies of the longer context."""
        return frequencies / self.factor


@dataclass(frozen=True, slots=True)
class YarnScaling:
    """Pairs that turn often within the original context are kept, slow ones divided by `factor`.

    Between `beta_fast` and `beta_slow` turns within the original context the two are blended.
    """

    factor: float
    original_max_position_embeddings: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    """The blend begins and ends at whole pairs."""

    def __post_init__(self) -> None:
        numbers = (self.factor, self.original_max_position_embeddings, self.beta_fast, self.beta_slow)
        if not all(0 < value < inf for value in numbers):
            raise ModelStoreError(f"Its rope scaling yarn has the parameters {numbers}")

    def apply(self, frequencies: Frequencies) -> Frequencies:
        """The frequencies of the longer context."""
        first, last = self._pair(frequencies, self.beta_fast), self._pair(frequencies, self.beta_slow)
        if self.truncate:
            first, last = floor(first), ceil(last)
        first, last = max(first, 0), min(last, 2 * len(frequencies) - 1)
        span = last - first or 0.001
        divided = np.clip((np.arange(len(frequencies)) - first) / span, 0, 1)
        scaled: Frequencies = frequencies * (1 - divided) + frequencies / self.factor * divided
        return scaled

    def _pair(self, frequencies: Frequencies, turns: float) -> float:
        """The place in the row of falling frequencies, not a whole one, that makes so many turns."""
        if len(frequencies) < 2 or frequencies[1] == 1:
            return 0.0
        step = -log(frequencies[1])
        return log(self.original_max_position_embeddings / (turns * 2 * np.pi)) / step


def yarn_magnitude(factor: float, weight: float = 1.0) -> float:
    """By how much YaRN enlarges queries and keys of a context that is `factor` times as long."""
    return 0.1 * weight * log(factor) + 1.0 if factor > 1 else 1.0


@dataclass(frozen=True, slots=True)
class QueryScaling:
    """Queries of far positions are enlarged by `1 + beta * ln(1 + floor(position / length))`.

    Llama 4's and Ministral 3's remedy against attention that thins out over long contexts.
    """

    beta: float
    length: int

    def __post_init__(self) -> None:
        if not (0 < self.beta < inf and self.length > 0):
            raise ModelStoreError(f"Its queries are scaled by {self.beta} from position {self.length} on")


RopeScaling = Llama3Scaling | LinearScaling | YarnScaling


def inverse_frequencies(head_size: int, base: float) -> Frequencies:
    """`base ** (-2 i / head_size)` for each pair `i`.

    Raises:
        ModelStoreError: no model has such a head.
    """
    if not 0 < head_size <= _MAX_HEAD_SIZE or head_size % 2 or not base > 0:
        raise ModelStoreError(f"It has attention heads of size {head_size} and a rotary base of {base}")
    return base ** -(np.arange(0, head_size, 2, dtype=np.float64) / head_size)
