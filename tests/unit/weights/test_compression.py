import numpy as np
import pytest

from tramontane.weights.compression import INT8, KEEP, Compression, choose_compression
from tramontane.weights.quantization import Groups, groups
from tramontane.weights.tensors import Encoding, Scales, Tensor, chunks, floats, from_floats

GIB = 1 << 30


def numbers(matrix: Groups) -> np.ndarray:
    codes = matrix.codes.astype(np.float64)
    if matrix.zero_points is not None:
        codes = codes - matrix.zero_points
    return (codes * matrix.scales.astype(np.float64)).reshape(len(codes), -1)


def matrix(values: np.ndarray, encoding: Encoding = Encoding.F32) -> Tensor:
    return Tensor("t", values.shape, encoding, values.astype("<f4").view(np.uint8))


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(0, 1, (6, 256)).astype(np.float32)


@pytest.mark.parametrize(
    ("billions", "encoding", "memory", "expected"),
    [
        (0.1, Encoding.BF16, 8, KEEP),  # small
        (3, Encoding.BF16, 8, INT8),
        (3, Encoding.F32, 8, INT8),
        (24, Encoding.BF16, 64, INT8),
        (24, Encoding.BF16, 24, Compression(4, 64)),
        (0.1, Encoding.F8_E4M3, 8, INT8),  # nothing computes in it
        (7, Encoding.Q4_K, 4, KEEP),  # quantised by its makers
    ],
)
def test_auto_goes_by_size_and_memory(billions, encoding, memory, expected):
    chosen = choose_compression("auto", elements=int(billions * 1e9), encoding=encoding, memory=memory * GIB)

    assert chosen == expected


@pytest.mark.parametrize(("memory", "expected"), [(8, KEEP), (2, INT8)])
def test_vectors_are_rounded_only_where_memory_asks_for_it(memory, expected):
    chosen = choose_compression(
        "auto", elements=568_000_000, encoding=Encoding.F32, memory=memory * GIB, embeds=True
    )

    assert chosen == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("none", KEEP), ("int8", INT8), ("int4", Compression(4, 64)), ("int4-128", Compression(4, 128))],
)
def test_what_is_asked_for_is_done(name, expected):
    chosen = choose_compression(name, elements=1, encoding=Encoding.F32, memory=1)

    assert chosen == expected
    assert chosen.name == ("" if name == "none" else name)


@pytest.mark.parametrize(
    ("encoding", "by_int8", "by_int4"),
    [
        (Encoding.F32, True, True),
        (Encoding.BF16, True, True),
        (Encoding.F8_E4M3, True, True),
        (Encoding.Q8_0, False, True),
        (Encoding.Q6_K, False, True),
        (Encoding.Q4_0, False, False),
        (Encoding.Q2_K, False, False),
    ],
)
def test_nothing_is_rounded_to_more_bits_than_it_has(encoding, by_int8, by_int4):
    assert INT8.rounds(encoding) is by_int8
    assert Compression(4, 64).rounds(encoding) is by_int4
    assert not KEEP.rounds(encoding)


@pytest.mark.parametrize("group_size", [32, 64, 128])
def test_four_bits_are_at_most_half_a_step_off(values, group_size):
    rounded = groups(matrix(values), Compression(4, group_size))

    assert rounded.codes.shape == (6, 256 // group_size, group_size)
    assert rounded.codes.max() <= 15
    assert rounded.zero_points.dtype == np.uint8
    steps = rounded.scales.astype(np.float32).repeat(group_size, axis=-1).reshape(values.shape)
    # Half a step of the code, half one of the zero point at the ends, and the rounding of the scale.
    assert (np.abs(numbers(rounded) - values) <= 1.02 * steps).all()
    assert np.mean(np.abs(numbers(rounded) - values) <= 0.51 * steps) > 0.98


def test_groups_of_one_sign_and_of_zeros_are_rounded_too():
    values = np.concatenate([np.full((1, 64), 3.0), np.full((1, 64), -0.5), np.zeros((1, 64))]).astype(
        np.float32
    )

    rounded = groups(matrix(values), Compression(4, 64))

    np.testing.assert_allclose(numbers(rounded), values, rtol=1e-3)


@pytest.mark.parametrize(("columns", "size", "dtype"), [(96, 32, np.uint8), (40, 40, np.int8)])
def test_rows_that_are_not_of_whole_groups_get_smaller_ones_or_8_bits(columns, size, dtype):
    values = np.random.default_rng(1).normal(0, 1, (3, columns)).astype(np.float32)

    rounded = groups(matrix(values), Compression(4, 64))

    assert rounded.codes.dtype == dtype
    assert rounded.codes.shape == (3, columns // size, size)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (0x00, 0.0),
        (0x01, 2**-9),
        (0x07, 7 * 2**-9),
        (0x08, 2**-6),
        (0x38, 1.0),
        (0x39, 1.125),
        (0x7E, 448.0),
        (0xC0, -2.0),
    ],
)
def test_a_float_of_four_bits_of_exponent(code, value):
    tensor = Tensor("t", (1, 1), Encoding.F8_E4M3, np.array([[code]], np.uint8))

    assert floats(tensor).item() == value


def test_the_one_code_that_is_no_number():
    tensor = Tensor("t", (1, 2), Encoding.F8_E4M3, np.array([[0x7F, 0xFF]], np.uint8))

    assert np.isnan(floats(tensor)).all()


@pytest.mark.parametrize(
    ("code", "value"), [(0x3C, 1.0), (0x3D, 1.25), (0xC0, -2.0), (0x01, 2**-16), (0x7B, 57344.0)]
)
def test_a_float_of_five_bits_of_exponent(code, value):
    tensor = Tensor("t", (1, 1), Encoding.F8_E5M2, np.array([[code]], np.uint8))

    assert floats(tensor).item() == value


def test_scales_follow_their_rows_into_chunks():
    rows, columns = 1 << 13, 1 << 10
    codes = np.full((rows, columns), 0x38, np.uint8)  # ones
    scales = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    tensor = Tensor("t", codes.shape, Encoding.F8_E4M3, codes, Scales(scales, 1000))

    parts = list(chunks(tensor))

    assert len(parts) > 1
    for start, part in parts:
        values = floats(part)
        np.testing.assert_array_equal(values[:, 0], scales[start : start + len(values), 0])
        np.testing.assert_array_equal(values[:, -1], scales[start : start + len(values), 1])


@pytest.mark.parametrize(
    ("encoding", "becomes"),
    [
        (Encoding.F32, Encoding.F32),
        (Encoding.F16, Encoding.F16),
        (Encoding.BF16, Encoding.BF16),
        (Encoding.F8_E4M3, Encoding.BF16),
        (Encoding.Q4_K, Encoding.Q8_0),
    ],
)
def test_changed_weights_are_kept_like_those_that_they_replace(values, encoding, becomes):
    before = Tensor("t", values.shape, encoding, np.zeros((6, 1), np.uint8))

    after = from_floats(before, values)

    assert after.encoding is becomes
    np.testing.assert_allclose(floats(after), values, atol=0.02)
