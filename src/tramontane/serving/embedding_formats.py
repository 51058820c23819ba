"""Vectors in the types and encodings of `/v1/embeddings`.

The hosted API documents the ranges and that `binary` is offset binary; the rest of these definitions is ours:

- `float`: the 32-bit floats themselves.
- `int8`: `round(127 x)`, half to even, clipped to -128…127; of a normalised vector -127…127.
- `uint8`: `int8` plus 128.
- `ubinary`: one bit a dimension, 1 where `x > 0`; eight dimensions a byte, the first in the most significant
  bit, the last byte filled up with zeros.
- `binary`: `ubinary` minus 128, as int8.

`base64` is that of the little-endian bytes of these numbers.
"""

import base64

import numpy as np
import numpy.typing as npt

from tramontane.schemas.embeddings import EmbeddingDtype, EncodingFormat

Numbers = npt.NDArray[np.float32] | npt.NDArray[np.int8] | npt.NDArray[np.uint8]


def quantize(vectors: npt.NDArray[np.float32], dtype: EmbeddingDtype) -> Numbers:
    """`vectors` [n, dimensions] as [n, dimensions], or [n, dimensions / 8] of the binary types."""
    match dtype:
        case EmbeddingDtype.float:
            return np.ascontiguousarray(vectors, dtype="<f4")
        case EmbeddingDtype.int8:
            return _rounded(vectors).astype(np.int8)
        case EmbeddingDtype.uint8:
            return (_rounded(vectors) + 128).astype(np.uint8)
        case EmbeddingDtype.ubinary:
            return np.packbits(vectors > 0, axis=-1)
        case EmbeddingDtype.binary:
            return (np.packbits(vectors > 0, axis=-1).astype(np.int16) - 128).astype(np.int8)


def encode(vector: Numbers, encoding: EncodingFormat) -> Numbers | str:
    """One quantised vector as it is put into JSON: numbers, or base64 text."""
    match encoding:
        case EncodingFormat.float:
            return vector
        case EncodingFormat.base64:
            return base64.b64encode(vector.tobytes()).decode()


def _rounded(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    rounded: npt.NDArray[np.float32] = np.rint(vectors * np.float32(127))
    return rounded.clip(-128, 127).astype(np.int16)
