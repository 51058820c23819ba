import re

from hypothesis import given
from hypothesis import strategies as st

from tramontane.prompts.grammar.ebnf import render
from tramontane.prompts.grammar.expressions import ANY_CHARACTER, Characters

PIECE = re.compile(r"\\[uU]([0-9a-f]+)-\\[uU]([0-9a-f]+)")
NARROW_LEADS = {0xE0, 0xED, 0xF0, 0xF4}
"""First bytes behind which not every continuation byte is allowed (The Unicode Standard, table 3-7)."""

code_points = st.integers(0xA0, 0xD7FF) | st.integers(0xE000, 0x10FFFF)


def written(characters):
    pieces = PIECE.findall(render(characters, {}))
    return [(int(first, 16), int(last, 16)) for first, last in pieces]


def has_one_form(first, last):
    """All characters between have as many bytes, and may have all second bytes that one of them may have."""
    a, b = chr(first).encode(), chr(last).encode()
    return len(a) == len(b) and (a[0] == b[0] or NARROW_LEADS.isdisjoint({a[0], b[0]}))


def test_ranges_are_cut_where_the_form_of_utf8_changes():
    pieces = written(ANY_CHARACTER)

    assert all(has_one_form(*piece) for piece in pieces if piece[0] >= 0x80)


@given(code_points, code_points)
def test_the_pieces_of_a_range_are_the_range(one, other):
    first, last = sorted((one, other))
    if first < 0xD800 <= last or last - first < 2:
        return  # surrogates are no characters; single ones are not written as ranges
    pieces = written(Characters(((first, last),)))
    wide = [piece for piece in pieces if piece[1] - piece[0] > 0]

    assert all(has_one_form(*piece) for piece in wide)
    assert sum(b - a + 1 for a, b in wide) >= last - first
