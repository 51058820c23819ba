"""Tensors as weight files store them, in one form for all file formats."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, quants

from tramontane.errors import ModelStoreError


class Encoding(StrEnum):
    """How the elements of a row are stored. Blocks never reach over the end of a row.

    The quantised ones are GGML's: blocks of 32 elements, those of the K family of 256.
    """

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
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


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file, its bytes not yet read."""

    name: str
    shape: tuple[int, ...]
    """Outermost first: a matrix is [outputs, inputs]."""
    encoding: Encoding
    rows: npt.NDArray[np.uint8]
    """[product of all dimensions but the last, bytes of a row], usually a view into a mapped file."""


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


def floats(tensor: Tensor) -> npt.NDArray[np.float32]:
    """The elements of `tensor` as 32-bit floats in its shape."""
    match tensor.encoding:
        case Encoding.F32:
            values = tensor.rows.view("<f4")
        case Encoding.F16:
            values = tensor.rows.view("<f2").astype(np.float32)
        case Encoding.BF16:
            values = (tensor.rows.view("<u2").astype(np.uint32) << 16).view(np.float32)
        case encoding:
            values = quants.dequantize(tensor.rows, GGMLQuantizationType[encoding.name])
    return values.reshape(tensor.shape)


def require_shape(tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a tensor that does not fit where the configuration puts it.

    Raises:
        ModelStoreError: its shape is another one.
    """
    if tensor.shape != shape:
        raise ModelStoreError(
            f"Tensor {tensor.name} is {list(tensor.shape)}, but the configuration asks for {list(shape)}"
        )
