import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.parsing.test_detokenizer import cut_points, pieces_of
from tramontane.parsing.stop import StopFilter, StopStrings

few_letters = st.text("ab", max_size=40)
stops = st.lists(st.text("ab", max_size=5), max_size=4)


def filtered(text, strings, cuts=()):
    stop_filter = StopFilter(StopStrings(strings))
    passed = ""
    for piece in pieces_of(text, cuts):
        passed += stop_filter.feed(piece)
        if stop_filter.stopped:
            return passed, True
    return passed + stop_filter.flush(), False


def naive(text, strings):
    """The shortest beginning of `text` that holds a stop string, cut where this begins."""
    for end in range(1, len(text) + 1):
        found = [s for s in strings if s and text[:end].endswith(s)]
        if found:
            return text[: end - max(map(len, found))], True
    return text, False


@given(few_letters, stops, cut_points)
def test_the_outcome_is_that_of_a_naive_search_however_the_text_is_split(text, strings, cuts):
    assert filtered(text, strings, cuts) == naive(text, strings)


@given(few_letters, st.text("ab", min_size=1, max_size=5), cut_points)
def test_one_stop_string_cuts_where_find_finds_it(text, string, cuts):
    assert filtered(text, [string], cuts) == (text.partition(string)[0], string in text)


@given(few_letters, stops)
def test_exactly_what_may_begin_a_stop_string_is_held_back(text, strings):
    stop_filter = StopFilter(StopStrings(strings))
    passed = stop_filter.feed(text)
    if stop_filter.stopped:
        return
    held = max((n for s in strings for n in range(len(s)) if text.endswith(s[:n])), default=0)
    assert passed == text[: len(text) - held]


def test_a_stop_string_may_span_many_pieces():
    stop_filter = StopFilter(StopStrings(["</answer>"]))
    assert [stop_filter.feed(piece) for piece in ("42<", "/ans", "wer", ">", "")][:4] == ["42", "", "", ""]
    assert stop_filter.stopped


def test_text_that_only_looked_like_a_stop_string_is_given_back():
    stop_filter = StopFilter(StopStrings(["</answer>"]))
    assert stop_filter.feed("a </ans") == "a "
    assert stop_filter.feed("i</answ") == "</ansi"
    assert stop_filter.flush() == "</answ"


def test_empty_stop_strings_are_none():
    assert not StopStrings([""])
    assert filtered("text", ["", "x"]) == ("te", True)


def test_text_before_the_filter_is_in_force_cannot_be_part_of_a_stop_string():
    stop_filter = StopFilter(StopStrings(["ab"]))
    assert stop_filter.feed("ab a", may_stop=False) == "ab a"
    assert stop_filter.feed("b.") == "b."
    assert stop_filter.feed("ab") == ""
    assert stop_filter.stopped


@pytest.mark.parametrize("count", [1, 100])
def test_many_long_stop_strings_share_their_common_beginning(count):
    strings = StopStrings(["a" * 5000 + str(i) for i in range(count)])
    assert len(strings.next) < 5000 + 5 * count
    assert filtered("b" + "a" * 6000 + "0", ["a" * 5000 + str(i) for i in range(count)]) == (
        "b" + "a" * 1000,
        True,
    )
