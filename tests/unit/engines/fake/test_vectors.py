import numpy as np
import pytest

from tramontane.engines.fake.vectors import EMBEDDING_DIMENSION, hashed_vector


@pytest.mark.parametrize("text", ["", " ", "a", "The cat sat on the mat.", "🌍", "\ud800", "x" * 10_000])
def test_every_text_has_a_normalised_vector(text):
    vector = hashed_vector(text)

    assert vector.shape == (EMBEDDING_DIMENSION,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_equal_texts_have_equal_vectors():
    assert (hashed_vector("The cat sat.") == hashed_vector("the CAT sat .")).all()


def test_texts_that_share_words_are_nearer_than_others():
    cat = hashed_vector("The cat sat on the mat")

    assert cat @ hashed_vector("The cat sat on a chair") > 0.5
    assert cat @ hashed_vector("Quantum chromodynamics explained") < 0.3
    assert hashed_vector("walking") @ hashed_vector("walked") > hashed_vector("walking") @ hashed_vector(
        "sleeps"
    )
