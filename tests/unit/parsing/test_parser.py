from hypothesis import given
from hypothesis import strategies as st

from tests.unit.parsing.test_detokenizer import cut_points, pieces_of
from tramontane.core.vocabulary import BYTE_VOCABULARY
from tramontane.parsing.parser import AnswerParser
from tramontane.parsing.stop import StopStrings
from tramontane.parsing.suffix import suffix_anchor


def parsed(ids, cuts=(), stop=(), suffix=None, min_tokens=0):
    parser = AnswerParser(
        BYTE_VOCABULARY, StopStrings(stop), suffix and suffix_anchor("", suffix), min_tokens
    )
    text = "".join(parser.feed(piece).text for piece in pieces_of(list(ids), cuts)) + parser.flush().text
    return text, parser.stopped, parser.token_count


@given(
    st.lists(st.sampled_from([*b"ab()\n", *"é".encode(), 256]), max_size=40),
    cut_points,
    st.lists(st.text("ab(é", max_size=3), max_size=2),
    st.one_of(st.none(), st.sampled_from([")", "\nb", "ab", " "])),
    st.integers(0, 10),
)
def test_every_split_of_the_ids_gives_the_same_answer(ids, cuts, stop, suffix, min_tokens):
    assert parsed(ids, cuts, stop, suffix, min_tokens) == parsed(ids, (), stop, suffix, min_tokens)


@given(st.binary(max_size=40), cut_points)
def test_without_anything_to_stop_at_all_text_comes_through(data, cuts):
    assert parsed(data, cuts) == (data.decode(errors="replace"), False, len(data))


def test_tokens_count_up_to_the_one_that_completes_the_stop_string():
    assert parsed(b"one. two. three", stop=["two"]) == ("one. ", True, len("one. two"))


def test_a_stop_string_with_characters_of_several_tokens_is_found():
    assert parsed("a🌬🌬b".encode(), stop=["🌬b"]) == ("a🌬", True, 10)


def test_the_answer_does_not_end_in_its_first_min_tokens():
    assert parsed(b"ab.ab.", stop=["b."], min_tokens=3) == ("ab.a", True, 6)


def test_a_stop_string_comes_before_a_suffix_that_begins_behind_it():
    assert parsed(b"x STOP)", stop=["STOP"], suffix=")") == ("x ", True, 6)


def test_a_suffix_that_resumes_before_the_stop_string_comes_first():
    assert parsed(b"x) STOP", stop=["STOP"], suffix=")") == ("x", True, 2)


def test_text_that_waited_for_the_suffix_is_kept_when_a_stop_string_ends_the_answer():
    assert parsed(b"x en.", stop=["."], suffix="end") == ("x en", True, 5)


def test_half_a_character_at_the_end_may_still_be_followed_by_nothing():
    assert parsed(b"a\xc3") == ("a\ufffd", False, 2)
