"""Weights as constants of a graph: compressed as their file has them, wherever OpenVINO has a like form.

A compressed matrix is a constant of small integers and the arithmetic that makes numbers of them:

    u4|i8 [rows, groups, size] → Convert f16 → (Subtract zero point) → Multiply scale → Reshape → Convert f32

The CPU plugin recognises this chain and folds it into the matrix multiplication: the numbers never exist.
Matrices are read and rounded in pieces, so that no more memory is needed than what they are rounded to.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import Shape, Type
from openvino import opset13 as ops

from tramontane.engines.openvino.graph.nodes import Node, integers
from tramontane.weights.compression import KEEP, Compression, at_least_8_bits, keeps_floats
from tramontane.weights.quantization import Groups, groups
from tramontane.weights.tensors import (
    Encoding,
    Tensor,
    TensorSource,
    chunks,
    floats,
    from_floats,
    require_shape,
)

_FLOATS = {Encoding.F32: Type.f32, Encoding.F16: Type.f16, Encoding.BF16: Type.bf16}
_TYPES = {"float16": Type.f16, "int8": Type.i8}
_AT_A_TIME = 2 * (os.cpu_count() or 1)
"""Pieces that are read ahead of those that are worked on."""

Array = npt.NDArray[np.generic]


class Weights:
    """The tensors of a model, as its graph needs them.

    Matrices are not copied into the graph: this object holds their memory and must outlive it.
    """

    def __init__(self, source: TensorSource, compression: Compression = KEEP) -> None:
        self._source = source
        self._compression = compression
        self._unread = set(source.names)
        self._shared: list[Array] = []

    def __contains__(self, name: str) -> bool:
        return name in self._source.names

    @property
    def unread(self) -> frozenset[str]:
        """Tensors that nothing has asked for yet."""
        return frozenset(self._unread)

    def vector(self, name: str, size: int) -> npt.NDArray[np.float32]:
        """The tensor `name` of [size].

        Raises:
            ModelStoreError: it is missing or has another shape.
        """
        return floats(self._read(name, (size,)))

    def matrix(self, name: str, shape: tuple[int, int], *, precise: bool = False) -> Node:
        """The tensor `name` of [outputs, inputs] as a node of 32-bit floats.

        Args:
            name: as Hugging Face has it.
            shape: that it must have.
            precise: keep 8 bits at least.

        Raises:
            ModelStoreError: it is missing or has another shape.
        """
        tensor = self._read(name, shape)
        compression = at_least_8_bits(self._compression) if precise else self._compression
        if not keeps_floats(tensor, compression):
            return self._decompressed(_rounded(tensor, compression), shape)
        if tensor.encoding not in _FLOATS:
            tensor = _of_16_bits(tensor)
        constant = self._constant(tensor.rows, shape, _FLOATS[tensor.encoding])
        return constant if tensor.encoding is Encoding.F32 else ops.convert(constant, Type.f32)

    def _read(self, name: str, shape: tuple[int, ...]) -> Tensor:
        tensor = self._source.read(name)
        require_shape(tensor, shape)
        self._unread.discard(name)
        return tensor

    def _decompressed(self, matrix: Groups, shape: tuple[int, int]) -> Node:
        rows, columns = shape
        by_group = (rows, matrix.scales.shape[1], columns // matrix.scales.shape[1])
        numbers = self._halves(matrix.codes, by_group)
        if matrix.zero_points is not None:
            numbers = ops.subtract(numbers, self._halves(matrix.zero_points, matrix.scales.shape))
        scaled = ops.multiply(numbers, self._halves(matrix.scales, matrix.scales.shape))
        return ops.convert(ops.reshape(scaled, integers(*shape), special_zero=False), Type.f32)

    def _halves(self, values: Array, shape: tuple[int, ...]) -> Node:
        """Numbers of 16 bits, stored as they are; uint8 holds two of 4 bits."""
        constant = self._constant(values, shape, _TYPES.get(values.dtype.name, Type.u4))
        return constant if values.dtype == np.float16 else ops.convert(constant, Type.f16)

    def _constant(self, values: Array, shape: tuple[int, ...], kind: Type) -> Node:
        self._shared.append(values)
        return ops.constant(ov.Tensor(values, Shape(shape), kind))


def _rounded(tensor: Tensor, compression: Compression) -> Groups:
    """The matrix in groups, worked on by all cores; codes and zero points of 4 bits are packed."""
    whole: Groups | None = None
    with ThreadPoolExecutor() as pool:
        for start, part in _mapped(pool, partial(_packed_codes, compression=compression), tensor):
            if whole is None:
                whole = _like(part, len(tensor.rows))
            for target, source in zip(_arrays(whole), _arrays(part), strict=True):
                target[start : start + len(source)] = source
    assert whole is not None  # no tensor is empty
    if whole.zero_points is not None and whole.zero_points.dtype == np.uint8:
        return Groups(whole.codes, whole.scales, _pairs(whole.zero_points))
    return whole


def _mapped(
    pool: ThreadPoolExecutor, work: "partial[Groups]", tensor: Tensor
) -> Iterator[tuple[int, Groups]]:
    """What `work` makes of each chunk, in order; a few are under way at a time."""
    waiting = []
    for start, chunk in chunks(tensor):
        waiting.append((start, pool.submit(work, chunk)))
        if len(waiting) == _AT_A_TIME:
            first, future = waiting.pop(0)
            yield first, future.result()
    for start, future in waiting:
        yield start, future.result()


def _packed_codes(tensor: Tensor, compression: Compression) -> Groups:
    part = groups(tensor, compression)
    if part.codes.dtype == np.int8:
        return part
    rows = len(part.codes)
    return Groups(_pairs(part.codes).reshape(rows, -1), part.scales, part.zero_points)


def _pairs(values: Array) -> npt.NDArray[np.uint8]:
    """Two numbers of 4 bits to a byte, the first in the low half."""
    flat = values.astype(np.uint8, copy=False).ravel()
    pairs = np.append(flat, np.zeros(flat.size % 2, np.uint8)).reshape(-1, 2)
    packed: npt.NDArray[np.uint8] = pairs[:, 0] | pairs[:, 1] << 4
    return packed


def _like(part: Groups, rows: int) -> Groups:
    """Room for a matrix of so many rows."""
    empty = [np.empty((rows, *array.shape[1:]), array.dtype) for array in _arrays(part)]
    return Groups(*empty)


def _arrays(matrix: Groups) -> list[Array]:
    return [array for array in (matrix.codes, matrix.scales, matrix.zero_points) if array is not None]


def _of_16_bits(tensor: Tensor) -> Tensor:
    """A matrix of 8-bit floats with its scales worked in."""
    parts = [from_floats(part, floats(part)) for _, part in chunks(tensor)]
    return Tensor(tensor.name, tensor.shape, parts[0].encoding, np.concatenate([part.rows for part in parts]))
