"""Weights as constants of a graph: compressed as their file has them, wherever OpenVINO has a like form.

A compressed matrix is a constant of small integers and the arithmetic that makes numbers of them:

    u4|i8 [rows, groups, 32] → Convert f16 → (Subtract zero point) → Multiply scale → Reshape → Convert f32

The CPU plugin recognises this chain and folds it into the matrix multiplication: the numbers never exist.
"""

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import Shape, Type
from openvino import opset13 as ops

from tramontane.engines.openvino.graph.nodes import Node, integers
from tramontane.weights.quantization import Groups, groups
from tramontane.weights.tensors import Encoding, Tensor, TensorSource, floats, require_shape

_FLOATS = {Encoding.F32: Type.f32, Encoding.F16: Type.f16, Encoding.BF16: Type.bf16}


class Weights:
    """The tensors of a model, as its graph needs them.

    Floating-point matrices are not copied into the graph: this object holds their memory and must outlive it.
    """

    def __init__(self, source: TensorSource) -> None:
        self._source = source
        self._unread = set(source.names)
        self._shared: list[npt.NDArray[np.uint8]] = []

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

    def matrix(self, name: str, shape: tuple[int, int]) -> Node:
        """The tensor `name` of [outputs, inputs] as a node of 32-bit floats.

        Raises:
            ModelStoreError: it is missing or has another shape.
        """
        tensor = self._read(name, shape)
        if tensor.encoding not in _FLOATS:
            return _decompressed(groups(tensor), shape)
        self._shared.append(tensor.rows)
        constant = ops.constant(ov.Tensor(tensor.rows, Shape(shape), _FLOATS[tensor.encoding]))
        return constant if tensor.encoding is Encoding.F32 else ops.convert(constant, Type.f32)

    def _read(self, name: str, shape: tuple[int, ...]) -> Tensor:
        tensor = self._source.read(name)
        require_shape(tensor, shape)
        self._unread.discard(name)
        return tensor


def _decompressed(matrix: Groups, shape: tuple[int, int]) -> Node:
    numbers = _halves(matrix.codes)
    if matrix.zero_points is not None:
        numbers = ops.subtract(numbers, _halves(matrix.zero_points))
    scaled = ops.multiply(numbers, _halves(matrix.scales))
    return ops.convert(ops.reshape(scaled, integers(*shape), special_zero=False), Type.f32)


def _halves(values: npt.NDArray[np.generic]) -> Node:
    """Numbers of 16 bits, stored as `Groups` has them: uint8 is for 4 bits."""
    match values.dtype:
        case np.float16:
            return ops.constant(values)
        case np.int8:
            return ops.convert(ops.constant(values), Type.f16)
        case _:
            return ops.convert(_four_bits(values.astype(np.uint8, copy=False)), Type.f16)


def _four_bits(values: npt.NDArray[np.uint8]) -> Node:
    """Two to a byte, the first in the low half."""
    flat = values.ravel()
    pairs = np.append(flat, np.zeros(flat.size % 2, np.uint8)).reshape(-1, 2)
    packed = pairs[:, 0] | pairs[:, 1] << 4
    return ov.op.Constant(ov.Tensor(packed, Shape(values.shape), Type.u4), shared_memory=False)
