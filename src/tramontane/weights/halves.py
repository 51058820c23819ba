"""Queries and keys whose rotary pairs are neighbours in a head, brought to pairs in its halves."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from tramontane.weights.tensors import Encoding, Tensor, TensorSource, floats, require_shape


class HalvedTensors:
    """The tensors of `source`, those of the projections `heads` in Hugging Face's order of rows.

    Args:
        source: with Hugging Face's names.
        heads: how many each projection has, by the last part of its name ("q_proj").
        head_size: of all of them.
    """

    def __init__(self, source: TensorSource, heads: Mapping[str, int], head_size: int) -> None:
        self._source = source
        self._heads = heads
        self._head_size = head_size

    @property
    def names(self) -> Collection[str]:
        """Every tensor there is."""
        return self._source.names

    def read(self, name: str) -> Tensor:
        """The tensor `name`.

        Raises:
            ModelStoreError: there is none, or it does not fit.
        """
        tensor = self._source.read(name)
        parts = name.split(".")
        heads = self._heads.get(parts[-2]) if len(parts) > 1 else None
        return tensor if heads is None else self._with_halves(tensor, heads)

    def _with_halves(self, tensor: Tensor, heads: int) -> Tensor:
        require_shape(tensor, (heads * self._head_size, *tensor.shape[1:]))
        pairs = np.arange(heads * self._head_size).reshape(heads, self._head_size // 2, 2)
        order = pairs.swapaxes(1, 2).ravel()
        if len(tensor.shape) == 1:
            elements = np.ascontiguousarray(floats(tensor)[order]).reshape(1, -1)
            return replace(tensor, encoding=Encoding.F32, rows=elements.view(np.uint8))
        scales = tensor.scales
        if scales is not None:
            scales = replace(scales, values=scales.values[order])
        return replace(tensor, rows=tensor.rows[order], scales=scales)
