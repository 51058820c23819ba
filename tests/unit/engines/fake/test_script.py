import json

import pytest

from tramontane.core.events import FinishReason
from tramontane.engines.fake.script import Rule, Script
from tramontane.errors import (
    CapacityError,
    ConfigurationError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
)


@pytest.fixture
def read(tmp_path):
    def read(script):
        path = tmp_path / "script.json"
        path.write_text(script if isinstance(script, str) else json.dumps(script))
        return Script.read(path)

    return read


def test_the_first_rule_that_matches_answers(read):
    script = read({"rules": [{"match": "b+", "answer": "1"}, {"match": "a", "answer": "2"}]})

    assert script.reply("abba").text == "1"
    assert script.reply("a").text == "2"


def test_what_no_rule_matches_gets_an_answer_that_says_what_this_is():
    text = Script().reply("Hello?").text

    assert "fake engine" in text
    assert text.endswith("Hello?")


def test_several_answers_are_given_in_turn(read):
    script = read({"rules": [{"answers": ["1", "2", "3"]}]})

    assert [script.reply("").text for _ in range(4)] == ["1", "2", "3", "1"]


def test_an_answer_can_quote_the_text(read):
    assert read({"rules": [{"answer": "<{text}|{other}>"}]}).reply("it").text == "<it|{other}>"


def test_an_answer_may_end_for_its_length_and_be_late(read):
    reply = read({"rules": [{"answer": "x", "finish_reason": "length", "delay": 0.5}]}).reply("")

    assert (reply.finish_reason, reply.delay) == (FinishReason.LENGTH, 0.5)


def test_an_error_can_go_away_after_some_times(read):
    script = read({"rules": [{"answer": "at last", "error": {"status": 503, "times": 2}}]})

    assert [script.reply("").error is not None for _ in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, InvalidRequestError), (429, CapacityError), (500, EngineError), (503, EngineUnavailableError)],
)
def test_a_status_is_the_error_that_has_it(read, status, error):
    reply = read({"rules": [{"error": {"status": status, "retry_after": 9}}]}).reply("")

    raised = reply.error.error()

    assert type(raised) is error
    assert raised.status == status
    assert raised.headers.get("retry-after") == ("9" if status in (429, 503) else None)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("{", "truncated"),
        ({}, "rules"),
        ({"rules": [{"answer": "x", "colour": 1}]}, "colour"),
        ({"rules": [{"answer": "x", "answers": ["y"]}]}, "not both"),
        ({"rules": [{"match": "x"}]}, "needs"),
        ({"rules": [{"answer": "x"}, {"match": "(", "answer": "x"}]}, r"regular expression.*rules\[1\]"),
        ({"rules": [{"answer": "x", "delay": -1}]}, "delay"),
        ({"rules": [{"answer": "x", "finish_reason": "tired"}]}, "finish_reason"),
        ({"rules": [{"answer": "x", "error": {"status": 418}}]}, "status"),
        ({"rules": [{"answer": "x", "error": {"status": 500, "after_tokens": -1}}]}, "after_tokens"),
    ],
)
def test_a_bad_script_is_an_error_that_says_where(read, script, says):
    with pytest.raises(ConfigurationError, match=f"(?s)fake_script.*{says}"):
        read(script)


def test_a_missing_script_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        Script.read(tmp_path / "nowhere.json")


def test_two_scripts_count_their_turns_apart():
    rules = [Rule(answers=("1", "2"))]
    one, other = Script(rules), Script(rules)
    one.reply("")

    assert other.reply("").text == "1"
