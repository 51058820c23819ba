import numpy as np
import pytest

from tramontane.errors import ModelStoreError
from tramontane.weights.rope import LinearScaling, Llama3Scaling, inverse_frequencies


def test_frequencies_fall_from_one_to_nearly_one_over_the_base():
    frequencies = inverse_frequencies(4, 10_000.0)

    np.testing.assert_allclose(frequencies, [1.0, 0.01])


def test_linear_scaling_divides_all():
    np.testing.assert_allclose(LinearScaling(4.0).apply(np.array([1.0, 0.5])), [0.25, 0.125])


def test_llama3_scaling_keeps_fast_divides_slow_and_blends_between():
    # Wavelengths of 8192/4, 8192/1 and 8192/2 positions: the limits, and a place between.
    original = 8192
    frequencies = 2 * np.pi / np.array([original / 8, original / 0.5, original / 2])

    scaled = Llama3Scaling(8.0, 1.0, 4.0, original).apply(frequencies)

    smooth = (2 - 1) / (4 - 1)
    factors = [1, 1 / 8, (1 - smooth) / 8 + smooth]
    np.testing.assert_allclose(scaled / frequencies, factors)


@pytest.mark.parametrize(
    ("head_size", "base"), [(0, 1e4), (-2, 1e4), (7, 1e4), (1 << 40, 1e4), (64, 0.0), (64, -1.0)]
)
def test_heads_that_no_model_has_are_refused(head_size, base):
    with pytest.raises(ModelStoreError, match="attention heads of size"):
        inverse_frequencies(head_size, base)
