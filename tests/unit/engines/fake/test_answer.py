import pytest

from tramontane.core.events import FinishReason
from tramontane.core.sampling import SamplingParams
from tramontane.core.vocabulary import TURN_END, TURN_START
from tramontane.engines.fake.answer import WORD, answer_to, last_user_text
from tramontane.engines.fake.script import Rule, Script


def turn(role, content):
    return [TURN_START, *f"{role}\n{content}".encode(), TURN_END, *b"\n"]


def answer(text, **params):
    params = SamplingParams(**({"max_tokens": 1000} | params))
    return answer_to(Script([Rule(answer=text)]).reply(""), params)


def test_the_text_is_what_the_user_said_last():
    prompt = [
        *turn("system", "user\nno"),
        *turn("user", "first"),
        *turn("assistant", "well"),
        *turn("user", "wörld\nof two lines 🌍"),
        TURN_START,
        *b"assistant\nSure: user\n",
    ]

    assert last_user_text(prompt) == "wörld\nof two lines 🌍"


def test_a_prompt_without_a_user_is_the_text():
    assert last_user_text(list(b"def add(a, b):\n")) == "def add(a, b):\n"
    assert last_user_text(turn("system", "Be brief.")) == "system\nBe brief.\n"


def test_half_a_character_is_no_reason_to_fail():
    assert last_user_text([0xC3]) == "\ufffd"


def test_words_make_up_the_whole_text():
    text = "  one two\n\nthree 🌍 " + "x" * 40 + " \n"

    words = WORD.findall(text.encode())

    assert b"".join(words) == text.encode()
    assert b" two" in words
    assert max(map(len, words)) < 20


def test_an_answer_that_fits_is_whole():
    assert answer("Hello there") == (b"Hello there", FinishReason.STOP)


def test_max_tokens_cut_it():
    assert answer("Hello there", max_tokens=4) == (b"Hell", FinishReason.LENGTH)
    assert answer("Hello", max_tokens=5) == (b"Hello", FinishReason.LENGTH)


def test_it_is_said_again_until_there_are_min_tokens():
    assert answer("ab", min_tokens=7) == (b"ab ab a", FinishReason.STOP)
    assert answer("abc", min_tokens=2) == (b"abc", FinishReason.STOP)


@pytest.mark.parametrize(("min_tokens", "expected"), [(0, b"a"), (1, b"a"), (2, b"acd"), (4, b"acd")])
def test_a_stop_token_ends_it_but_not_before_min_tokens(min_tokens, expected):
    stops = frozenset({ord("b"), TURN_END})

    assert answer("abcdbe", min_tokens=min_tokens, stop_token_ids=stops) == (expected, FinishReason.STOP)
