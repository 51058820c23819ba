import base64
import struct

import numpy as np
import pytest

from tramontane.schemas.embeddings import EmbeddingDtype, EncodingFormat
from tramontane.serving.embedding_formats import encode, quantize

VECTORS = np.array(
    [
        [1.0, -1.0, 0.0, 0.5, -0.5, 1e-9, -1e-9, 0.25, 0.75, -0.75],
        [-0.003, 0.003, 0.005, -0.005, 0.9, -0.9, 0.1, -0.1, -0.0, 0.0],
    ],
    dtype=np.float32,
)


def plain(dtype):
    return quantize(VECTORS, dtype).tolist()


def test_float_is_the_numbers_themselves():
    assert plain(EmbeddingDtype.float) == VECTORS.tolist()


def test_int8_is_127_times_the_number_rounded():
    expected = [[round(127 * float(x)) for x in row] for row in VECTORS]
    assert plain(EmbeddingDtype.int8) == expected
    assert expected[0][:5] == [127, -127, 0, 64, -64]


def test_uint8_is_int8_plus_128():
    assert plain(EmbeddingDtype.uint8) == [[round(127 * float(x)) + 128 for x in row] for row in VECTORS]


def test_ubinary_is_a_bit_for_each_dimension_the_first_one_highest():
    # 1 0 0 1 0 1 0 1 | 1 0 + zeros      0 1 1 0 1 0 1 0 | 0 0 + zeros
    assert plain(EmbeddingDtype.ubinary) == [[0b10010101, 0b10000000], [0b01101010, 0b00000000]]


def test_binary_is_ubinary_minus_128():
    assert plain(EmbeddingDtype.binary) == [[0b10010101 - 128, 0], [0b01101010 - 128, -128]]


def test_numbers_out_of_range_are_clipped():
    wild = np.array([[3.0, -3.0]], dtype=np.float32)
    assert quantize(wild, EmbeddingDtype.int8).tolist() == [[127, -128]]
    assert quantize(wild, EmbeddingDtype.uint8).tolist() == [[255, 0]]


@pytest.mark.parametrize(
    ("dtype", "form"),
    [
        (EmbeddingDtype.float, "<10f"),
        (EmbeddingDtype.int8, "<10b"),
        (EmbeddingDtype.uint8, "<10B"),
        (EmbeddingDtype.binary, "<2b"),
        (EmbeddingDtype.ubinary, "<2B"),
    ],
)
def test_base64_is_the_little_endian_bytes_of_the_numbers(dtype, form):
    row = quantize(VECTORS, dtype)[0]
    text = encode(row, EncodingFormat.base64)
    assert list(struct.unpack(form, base64.b64decode(text))) == row.tolist()


@pytest.mark.parametrize("dtype", EmbeddingDtype)
def test_numbers_are_contiguous_also_of_a_part_of_the_dimensions(dtype):
    row = encode(quantize(VECTORS[:, :8], dtype)[1], EncodingFormat.float)
    assert row.flags.c_contiguous
