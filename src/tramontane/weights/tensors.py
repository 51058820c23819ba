"""Tensors as weight files store them, in one form for all file formats."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import prod
from typing import Protocol

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

from tramontane.errors import ModelStoreError


class Encoding(StrEnum):
    """How the elements of a row are stored. Blocks never reach over the end of a row.

    The two of 8 bits are those of checkpoints with scales beside them; the other quantised ones are GGML's:
    blocks of 32 elements, those of the K and most of the I family of 256.
    """

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    F8_E4M3 = "f8_e4m3"
    F8_E5M2 = "f8_e5m2"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"
    Q4_1 = "q4_1"
    Q5_0 = "q5_0"
    Q5_1 = "q5_1"
    Q2_K = "q2_k"
    Q3_K = "q3_k"
    Q4_K = "q4_k"
    Q5_K = "q5_k"
    Q6_K = "q6_k"
    IQ4_NL = "iq4_nl"
    IQ4_XS = "iq4_xs"
    IQ3_S = "iq3_s"
    IQ3_XXS = "iq3_xxs"
    IQ2_S = "iq2_s"
    IQ2_XS = "iq2_xs"
    IQ2_XXS = "iq2_xxs"
    MXFP4 = "mxfp4"

    @property
    def bits(self) -> float:
        """Of an element, scales included."""
        if (bits := _FLOAT_BITS.get(self)) is not None:
            return bits
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType[self.name]]
        return 8 * float(block_bytes) / float(block)


_FLOAT_BITS = {
    Encoding.F32: 32,
    Encoding.F16: 16,
    Encoding.BF16: 16,
    Encoding.F8_E4M3: 8,
    Encoding.F8_E5M2: 8,
}
GGML_ENCODINGS = tuple(encoding for encoding in Encoding if not encoding.name.startswith("F8_"))
"""Those that a GGUF file may have."""

_CHUNK_ELEMENTS = 1 << 20
"""Of the pieces in which large matrices are worked on: 4 MB of floats."""


@dataclass(frozen=True, slots=True)
class Scales:
    """What the elements of a tensor are multiplied by."""

    values: npt.NDArray[np.float32]
    """[rows, blocks of columns]."""
    columns: int
    """Of a block; the last one may have fewer."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file, its bytes not yet read."""

    name: str
    shape: tuple[int, ...]
    """Outermost first: a matrix is [outputs, inputs]."""
    encoding: Encoding
    rows: npt.NDArray[np.uint8]
    """[product of all dimensions but the last, bytes of a row], usually a view into a mapped file."""
    scales: Scales | None = None


class TensorSource(Protocol):
    """The tensors of one model, named as Hugging Face names them and in its order of rows."""

    @property
    def names(self) -> Collection[str]:
        """Every tensor there is."""
        ...

    def read(self, name: str) -> Tensor:
        """The tensor `name`.

        Raises:
            ModelStoreError: there is none, or it is stored in a way that is not supported.
        """
        ...


def chunks(tensor: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The matrix `tensor` in pieces of whole rows, each with the number of its first row."""
    rows, columns = len(tensor.rows), tensor.shape[-1]
    step = max(1, _CHUNK_ELEMENTS // columns)
    for start in range(0, rows, step):
        part = tensor.rows[start : start + step]
        scales = tensor.scales
        if scales is not None:
            scales = replace(scales, values=scales.values[start : start + step])
        yield start, replace(tensor, shape=(len(part), columns), rows=part, scales=scales)


def floats(tensor: Tensor) -> npt.NDArray[np.float32]:
    """The elements of `tensor` as 32-bit floats in its shape, scales worked in."""
    values = _stored_floats(tensor)
    if tensor.scales is not None:
        by_column = np.repeat(tensor.scales.values, tensor.scales.columns, axis=1)
        values = values.reshape(len(tensor.rows), -1) * by_column[:, : tensor.shape[-1]]
    return values.reshape(tensor.shape)


def from_floats(tensor: Tensor, values: npt.NDArray[np.float32]) -> Tensor:
    """`values` in the place of `tensor`, in the form nearest to its own that can be written.

    16 bits for those of 16 and 8, Q8_0 for what GGML quantised, as far as rows are of whole blocks.
    """
    encoding = tensor.encoding
    if encoding in (Encoding.F8_E4M3, Encoding.F8_E5M2):
        encoding = Encoding.BF16
    elif encoding not in _FLOAT_BITS:
        encoding = Encoding.F32 if values.shape[-1] % 32 else Encoding.Q8_0
    rows = np.ascontiguousarray(values, np.float32).reshape(prod(values.shape[:-1]), -1)
    match encoding:
        case Encoding.F16:
            stored = rows.astype(np.float16).view(np.uint8)
        case Encoding.F32:
            stored = rows.view(np.uint8)
        case _:
            stored = quants.quantize(rows, GGMLQuantizationType[encoding.name]).view(np.uint8)
    return Tensor(tensor.name, tuple(values.shape), encoding, stored)


def _stored_floats(tensor: Tensor) -> npt.NDArray[np.float32]:
    match tensor.encoding:
        case Encoding.F32:
            values = tensor.rows.view("<f4")
        case Encoding.F16:
            values = tensor.rows.view("<f2").astype(np.float32)
        case Encoding.BF16:
            values = (tensor.rows.view("<u2").astype(np.uint32) << 16).view(np.float32)
        case Encoding.F8_E4M3:
            values = _F8_E4M3[tensor.rows]
        case Encoding.F8_E5M2:
            values = (tensor.rows.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
        case encoding:
            values = quants.dequantize(tensor.rows, GGMLQuantizationType[encoding.name])
    return values


def _f8_e4m3() -> npt.NDArray[np.float32]:
    """By byte: sign, 4 bits of exponent (bias 7), 3 of mantissa; 0x7F is no number, and nothing is infinite.

    Source: "FP8 Formats for Deep Learning" (arXiv 2209.05433), as PyTorch's `float8_e4m3fn`.
    """
    byte = np.arange(256)
    exponent, mantissa = byte >> 3 & 15, byte & 7
    magnitude = np.where(exponent == 0, mantissa / 8 * 2.0**-6, (1 + mantissa / 8) * 2.0 ** (exponent - 7.0))
    magnitude[byte & 0x7F == 0x7F] = np.nan
    return np.where(byte & 0x80, -magnitude, magnitude).astype(np.float32)


_F8_E4M3 = _f8_e4m3()


def require_shape(tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a tensor that does not fit where the configuration puts it.

    Raises:
        ModelStoreError: its shape is another one.
    """
    if tensor.shape != shape:
        raise ModelStoreError(
            f"Tensor {tensor.name} is {list(tensor.shape)}, but the configuration asks for {list(shape)}"
        )
