import gguf
import numpy as np
import pytest

from tramontane.weights.quantization import Groups, groups
from tramontane.weights.tensors import Encoding, Tensor, floats


def numbers(matrix: Groups) -> np.ndarray:
    codes = matrix.codes.astype(np.float64)
    if matrix.zero_points is not None:
        codes = codes - matrix.zero_points
    values = codes * matrix.scales.astype(np.float64)
    return values.reshape(len(values), -1)


def quantized(values: np.ndarray, encoding: Encoding) -> Tensor:
    rows = gguf.quants.quantize(values.astype(np.float32), gguf.GGMLQuantizationType[encoding.name])
    return Tensor("t", values.shape, encoding, rows)


def random_blocks(encoding: Encoding, scales_at: list[int]) -> Tensor:
    elements, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[encoding.name]]
    blocks = np.random.default_rng(1).integers(0, 256, (6, block_bytes), np.uint8)
    for at in scales_at:
        blocks[:, at : at + 2] = np.array([1e-3], "<f2").view(np.uint8)
    return Tensor("t", (3, 2 * elements), encoding, blocks.reshape(3, -1))


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(0.3, 1, (4, 96))


@pytest.mark.parametrize("encoding", [Encoding.Q8_0, Encoding.Q4_0])
def test_symmetric_codes_and_scales_are_kept_exactly(values, encoding):
    tensor = quantized(values, encoding)

    np.testing.assert_array_equal(numbers(groups(tensor)), floats(tensor))


def test_q4_k_keeps_its_codes_and_rounds_scales_and_minimums_to_halves():
    tensor = random_blocks(Encoding.Q4_K, [0, 2])

    matrix = groups(tensor)

    assert matrix.codes.dtype == np.uint8
    expected = floats(tensor)
    np.testing.assert_allclose(numbers(matrix), expected, rtol=0, atol=2e-3 * np.abs(expected).max())


def test_a_group_of_equal_numbers_stays_so():
    block = np.zeros((1, 144), np.uint8)
    block[0, 2:4] = np.array([0.5], "<f2").view(np.uint8)  # the minimums' scale; that of the codes is 0
    block[0, 4 + 4 : 4 + 8] = 3  # minimums of the first four groups
    tensor = Tensor("t", (1, 256), Encoding.Q4_K, block)

    expected = floats(tensor)

    assert set(np.unique(expected)) == {-1.5, 0.0}
    np.testing.assert_array_equal(numbers(groups(tensor)), expected)


@pytest.mark.parametrize(
    ("encoding", "scales_at"),
    [
        (Encoding.Q2_K, [80, 82]),
        (Encoding.Q3_K, [108]),
        (Encoding.Q5_K, [0, 2]),
        (Encoding.Q6_K, [208]),
        (Encoding.Q4_1, [0, 2]),
        (Encoding.Q5_0, [0]),
        (Encoding.Q5_1, [0, 2]),
        (Encoding.IQ4_NL, [0]),
        (Encoding.IQ4_XS, [0]),
    ],
)
def test_other_encodings_get_eight_bits_a_group(encoding, scales_at):
    tensor = random_blocks(encoding, scales_at)

    matrix = groups(tensor)

    assert matrix.codes.dtype == np.int8
    expected = floats(tensor).reshape(matrix.codes.shape)
    # Half a step of 1/127 of the largest number of the group, and the rounding of the scale.
    tolerance = np.abs(expected).max(axis=-1, keepdims=True) / 127 * 0.6 + 1e-9
    assert (np.abs(numbers(matrix).reshape(expected.shape) - expected) <= tolerance).all()


def test_zeros_stay_zeros_in_eight_bits():
    tensor = quantized(np.zeros((2, 32)), Encoding.Q5_0)

    assert not numbers(groups(tensor)).any()
