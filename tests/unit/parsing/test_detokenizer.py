from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tramontane.core.vocabulary import BYTE_VOCABULARY, TURN_END, Vocabulary
from tramontane.parsing.detokenizer import Detokenizer

token_ids = st.lists(st.integers(0, 257), max_size=60)
cut_points = st.lists(st.integers(0, 60), max_size=8)


def pieces_of(items, cuts):
    """`items` cut into consecutive pieces."""
    bounds = [0, *sorted(min(cut, len(items)) for cut in cuts), len(items)]
    return [items[start:end] for start, end in pairwise(bounds)]


@given(token_ids, cut_points)
def test_every_split_of_the_ids_gives_the_same_text(ids, cuts):
    detokenizer = Detokenizer(BYTE_VOCABULARY)
    text = "".join(detokenizer.feed(piece) for piece in pieces_of(ids, cuts)) + detokenizer.flush()
    assert text == bytes(i for i in ids if i < 256).decode(errors="replace")


@given(st.text(), cut_points)
def test_valid_text_comes_back_whole_and_nothing_is_left_to_flush(text, cuts):
    detokenizer = Detokenizer(BYTE_VOCABULARY)
    pieces = [detokenizer.feed(piece) for piece in pieces_of(list(text.encode(errors="replace")), cuts)]
    assert "".join(pieces) == text.encode(errors="replace").decode()
    assert detokenizer.flush() == ""


def test_a_character_over_several_tokens_comes_with_the_last_of_them():
    detokenizer = Detokenizer(BYTE_VOCABULARY)
    first, second, third, fourth = "🌬".encode()
    assert [detokenizer.feed([i]) for i in (first, second, third)] == ["", "", ""]
    assert detokenizer.feed([fourth]) == "🌬"


def test_half_a_character_at_the_end_is_a_replacement_character():
    detokenizer = Detokenizer(BYTE_VOCABULARY)
    assert detokenizer.feed("é".encode()[:1]) == ""
    assert detokenizer.flush() == "\ufffd"


def test_control_tokens_add_nothing_even_within_a_character():
    detokenizer = Detokenizer(BYTE_VOCABULARY)
    first, second = "é".encode()
    assert detokenizer.feed([first, TURN_END, second]) == "é"


def test_tokens_that_only_pad_the_vocabulary_add_nothing():
    assert Detokenizer(Vocabulary([b"a", b""])).feed([0, 1, 0]) == "aa"


BLANKS = Vocabulary([b" Hello", b" world", b"x", b"\xc3", b"\xa9", b" "])


@pytest.mark.parametrize(
    ("ids", "text"),
    [([0, 1], "Hello world"), ([2, 1], "x world"), ([5, 0], " Hello"), ([3, 4, 1], "é world"), ([5], "")],
)
def test_one_blank_before_a_text_can_be_no_part_of_it(ids, text):
    detokenizer = Detokenizer(BLANKS, drops_blank=True)
    assert "".join(detokenizer.feed([token_id]) for token_id in ids) == text


def test_a_text_keeps_its_blank_unless_told_otherwise():
    assert Detokenizer(BLANKS).feed([0, 1]) == " Hello world"
