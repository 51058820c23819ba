import pytest

from tramontane.core.sampling import SamplingParams
from tramontane.engines.grammar_limits import MAX_BYTES, MAX_NESTING, check_grammar
from tramontane.errors import InvalidRequestError

CONTROL_IDS = {0, 2}


def check(grammar, stop_ids=frozenset({2})):
    check_grammar(SamplingParams(max_tokens=1, grammar=grammar, stop_token_ids=stop_ids), CONTROL_IDS)


def nested(depth):
    return "root ::= " + "(" * depth + '"a"' + ")" * depth


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= "a"',
        nested(MAX_NESTING),
        'root ::= "' + "(" * 1000 + '"',
        'root ::= "\\"' + "(" * 1000 + '"',
        "root ::= [" + "(" * 1000 + "]",
        "root ::= [\\]" + "(" * 1000 + "]",
        "# " + "(" * 1000 + '\nroot ::= "a"',
        'root ::= ("a")' + ' ("a")' * 1000,
    ],
)
def test_a_grammar_that_is_neither_large_nor_deep_may_be_read(grammar):
    check(grammar)


@pytest.mark.parametrize(
    "grammar",
    [
        "",
        " \n\t",
        'root ::= "\ud800"',
        nested(MAX_NESTING + 1),
        '# "\nroot ::= ' + "(" * 1000 + '"a"' + ")" * 1000,
        "# [\nroot ::= " + "(" * 1000 + '"a"' + ")" * 1000,
        'root ::= "' + "é" * (MAX_BYTES // 2) + '"',
    ],
    ids=range(7),
)
def test_a_grammar_that_would_crash_the_library_is_refused(grammar):
    with pytest.raises(InvalidRequestError):
        check(grammar)


@pytest.mark.parametrize("stop_ids", [set(), {1}, {1, 2}])
def test_an_answer_with_a_grammar_ends_with_control_tokens_only(stop_ids):
    with pytest.raises(InvalidRequestError, match="control token"):
        check('root ::= "a"', frozenset(stop_ids))


def test_without_a_grammar_anything_goes():
    check(None, frozenset({1}))
