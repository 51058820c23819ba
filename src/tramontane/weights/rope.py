"""Rotary position embedding: how fast each pair of dimensions turns, and the ways to stretch that.

Sources: "RoFormer" (arXiv 2104.09864); the rules "llama3" and "linear" as in the `transformers` library.
"""

from dataclasses import dataclass

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


RopeScaling = Llama3Scaling | LinearScaling


def inverse_frequencies(head_size: int, base: float) -> Frequencies:
    """`base ** (-2 i / head_size)` for each pair `i`.

    Raises:
        ModelStoreError: no model has such a head.
    """
    if not 0 < head_size <= _MAX_HEAD_SIZE or head_size % 2 or not base > 0:
        raise ModelStoreError(f"It has attention heads of size {head_size} and a rotary base of {base}")
    return base ** -(np.arange(0, head_size, 2, dtype=np.float64) / head_size)
