import pytest

from tests.support.ebnf import Ebnf
from tramontane.prompts.grammar.ebnf import render
from tramontane.prompts.grammar.expressions import Text, characters


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", 'root ::= "plain"'),
        ("été", r'root ::= "\u00e9t\u00e9"'),
        ("façade", r'root ::= "fa\u00e7" "ade"'),
        ("décembre à 9\x01f", r'root ::= "d\u00e9" "cembre \u00e0 9\u0001" "f"'),
        ("\x7f0\xff1", r'root ::= "\u007f" "0\u00ff" "1"'),
        ("łe€e😀e", r'root ::= "\u0142e\u20ace\U0001f600e"'),
    ],
)
def test_no_hexadecimal_digit_stands_right_behind_a_number_that_the_engine_writes_short(text, written):
    grammar = render(Text(text), {})
    assert grammar.strip() == written
    assert Ebnf(grammar).accepts(text)


@pytest.mark.parametrize(
    ("ranges", "written"),
    [
        (["\x01", "a", "é"], r"root ::= [a\u0001\u00e9]"),
        ([("\x01", "\x03"), ("0", "9"), ("a", "\xff")], r"root ::= [0-9a-\u007f\u0001-\u0003\u0080-\u00ff]"),
    ],
)
def test_nor_in_a_class(ranges, written):
    assert render(characters(*ranges), {}).strip() == written
