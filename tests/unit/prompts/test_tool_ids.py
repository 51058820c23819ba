import re

import pytest

from tramontane.errors import FunctionCallError
from tramontane.prompts.tool_ids import ToolIds

WELL_FORMED = re.compile(r"[a-zA-Z0-9]{9}")


def test_an_id_of_the_right_form_is_kept():
    ids = ToolIds()
    assert ids.called("aq1aPdShN") == "aq1aPdShN"
    assert ids.answered("aq1aPdShN") == "aq1aPdShN"


@pytest.mark.parametrize(
    "call_id", ["call_98660886", "toolu_01A09q90qw90lq917835lq9", "x", "é" * 9, "a b c d e"]
)
def test_ids_of_other_vendors_are_exchanged_for_the_same_one_wherever_they_stand(call_id):
    ids = ToolIds()
    exchanged = ids.called(call_id)

    assert WELL_FORMED.fullmatch(exchanged)
    assert ids.answered(call_id) == exchanged
    assert ToolIds().called(call_id) == exchanged


def test_different_ids_stay_different():
    ids = ToolIds()
    assert len({ids.called(f"call_{number}") for number in range(1000)}) == 1000


@pytest.mark.parametrize("missing", ["null", ""])
def test_calls_without_an_id_get_one_each_and_results_without_one_belong_to_them_in_order(missing):
    ids = ToolIds()
    ids.start_turn()
    first, second = ids.called(missing), ids.called(missing)

    assert first != second
    assert WELL_FORMED.fullmatch(first)
    assert [ids.answered(None), ids.answered(missing)] == [first, second]


def test_a_result_without_an_id_belongs_to_a_call_that_has_none_yet():
    ids = ToolIds()
    ids.called("aaaaaaaaa")
    ids.called("bbbbbbbbb")

    assert ids.answered("aaaaaaaaa") == "aaaaaaaaa"
    assert ids.answered(None) == "bbbbbbbbb"


def test_calls_without_an_id_differ_between_turns():
    ids = ToolIds()
    ids.start_turn()
    first = ids.called("null")
    ids.start_turn()
    assert ids.called("null") != first


@pytest.mark.parametrize(
    ("call_id", "message"),
    [
        ("call_98660886", "Tool call id was call_98660886 but must be a-z, A-Z, 0-9, with a length of 9."),
        ("null", "Tool call id has to be defined."),
    ],
)
def test_strict_mode_refuses_other_forms_as_the_hosted_api(call_id, message):
    for told in (ToolIds(strict=True).called, ToolIds(strict=True).answered):
        with pytest.raises(FunctionCallError) as caught:
            told(call_id)
        assert caught.value.message == message
        assert caught.value.code == "3280"


def test_strict_mode_takes_the_right_form():
    ids = ToolIds(strict=True)
    assert ids.called("aq1aPdShN") == ids.answered("aq1aPdShN") == "aq1aPdShN"
