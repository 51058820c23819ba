"""Matrices as small integers with a scale for each group of neighbours in a row."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gguf import quants

from tramontane.weights.compression import KEEP, Compression
from tramontane.weights.tensors import Encoding, Tensor, floats

_GROUP = 32
_INT8_MAX = 127
_INT4_MAX = 15

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Groups:
    """A matrix as `(codes - zero_points) * scales`, in arrays [rows, groups, elements of the group or 1]."""

    codes: npt.NDArray[np.uint8] | npt.NDArray[np.int8]
    """uint8: 4 bits each, 0 … 15. int8: 8 bits, -128 … 127."""
    scales: npt.NDArray[np.float16]
    zero_points: npt.NDArray[np.uint8] | npt.NDArray[np.float16] | None = None
    """Halves where a whole number would shift the group."""


def groups(tensor: Tensor, compression: Compression = KEEP) -> Groups:
    """The matrix `tensor` in groups, for one that is quantised or that `compression` rounds.

    Q8_0 and Q4_0 are kept exactly, Q4_K but for the rounding of each group's scale and zero point. The rest
    gets 8 bits. docs/decisions/0003-own-graph-builder.md has the measurements behind that.
    """
    if compression.rounds(tensor.encoding) and compression.bits == 4:
        # Rows that are not of whole groups get smaller ones, or 8 bits.
        for size in (compression.group_size, _GROUP):
            if tensor.shape[-1] % size == 0:
                return _four_bits(floats(tensor), size)
        return _eight_bits(floats(tensor))
    match tensor.encoding:
        case Encoding.Q8_0:
            scales, codes = _split(tensor, 34, [2])
            return Groups(codes.view(np.int8), scales.view("<f2"))
        case Encoding.Q4_0:
            scales, codes = _split(tensor, 18, [2])
            halves = scales.view("<f2")
            return Groups(_nibbles(codes), halves, np.full(halves.shape, 8, np.uint8))
        case Encoding.Q4_K:
            return _q4_k(tensor)
        case _:
            return _eight_bits(floats(tensor))


def _split(tensor: Tensor, block_bytes: int, at: list[int]) -> list[Bytes]:
    """The fields of each block: [rows, blocks, bytes of the field]."""
    blocks = tensor.rows.reshape(len(tensor.rows), -1, block_bytes)
    return [np.ascontiguousarray(field) for field in np.split(blocks, at, axis=-1)]


def _nibbles(packed: Bytes) -> Bytes:
    """GGML keeps the first half of a group in the low nibbles, the second half in the high ones."""
    return np.concatenate([packed & 0xF, packed >> 4], axis=-1)


def _as_floats(halves: Bytes) -> Floats:
    return halves.view("<f2").astype(np.float32)


def _q4_k(tensor: Tensor) -> Groups:
    """Super-blocks of 256: eight groups, their scales and minimums integers of 6 bits."""
    scale, minimum, packed_pairs, packed = _split(tensor, 144, [2, 4, 16])
    rows, blocks, _ = packed.shape
    by_block = (rows, blocks, 8)
    group_scales, group_minimums = quants.Q4_K.get_scale_min(packed_pairs.reshape(-1, 12))
    scales = _as_floats(scale) * group_scales.reshape(by_block)
    minimums = _as_floats(minimum) * group_minimums.reshape(by_block)
    codes = _nibbles(packed.reshape(rows, blocks * 4, 32)).reshape(rows, blocks * 8, 32)
    return _asymmetric(codes, scales.reshape(rows, -1, 1), -minimums.reshape(rows, -1, 1))


def _asymmetric(codes: Bytes, scales: Floats, minimums: Floats) -> Groups:
    """`codes * scales + minimums`."""
    flat = scales == 0
    # A group of equal numbers has no scale; let the number itself be the scale, and -1 the zero point.
    codes = np.where(flat, np.uint8(0), codes)
    scales = np.where(flat, np.where(minimums == 0, np.float32(1), minimums), scales)
    return Groups(codes, scales.astype(np.float16), (-minimums / scales).astype(np.float16))


def _eight_bits(values: Floats) -> Groups:
    """Symmetric codes: the largest number of a group is 127 or -127."""
    grouped = _grouped(values, _GROUP)
    scales = (np.abs(grouped).max(axis=-1, keepdims=True) / _INT8_MAX).astype(np.float16)
    divisors = np.where(scales == 0, np.float32(1), scales.astype(np.float32))
    codes = np.clip(np.rint(grouped / divisors), -_INT8_MAX, _INT8_MAX).astype(np.int8)
    return Groups(codes, scales)


def _four_bits(values: Floats, group_size: int) -> Groups:
    """Codes from the lowest number of a group, or 0, to the highest, with a whole zero point."""
    grouped = _grouped(values, group_size)
    low = np.minimum(grouped.min(axis=-1, keepdims=True), 0)
    high = np.maximum(grouped.max(axis=-1, keepdims=True), 0)
    scales = ((high - low) / _INT4_MAX).astype(np.float16)
    divisors = np.where(scales == 0, np.float32(1), scales.astype(np.float32))
    zero_points = np.clip(np.rint(-low / divisors), 0, _INT4_MAX)
    codes = np.clip(np.rint(grouped / divisors) + zero_points, 0, _INT4_MAX)
    return Groups(codes.astype(np.uint8), scales, zero_points.astype(np.uint8))


def _grouped(values: Floats, group_size: int) -> Floats:
    """[rows, groups, elements]; rows that are not of whole groups are one group each."""
    columns = values.shape[-1]
    return values.reshape(len(values), -1, columns if columns % group_size else group_size)
