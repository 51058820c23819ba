import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.parsing.test_detokenizer import cut_points, pieces_of
from tramontane.parsing.suffix import SuffixFilter, suffix_anchor


def middle(prompt, suffix, text, cuts=()):
    """What is left of the model's `text`, and whether the suffix was found in it."""
    suffix_filter = SuffixFilter(suffix_anchor(prompt, suffix))
    passed = ""
    for piece in pieces_of(text, cuts):
        passed += suffix_filter.feed(piece)
        if suffix_filter.stopped:
            return passed, True
    return passed + suffix_filter.flush(), suffix_filter.stopped


CASES = [
    # rule 1: a closing bracket
    ("print(", ")", "f(x), g(y))\nprint(z)", "f(x), g(y)"),
    ("print(", ")\n\nmain()", "1, 2)\nother()", "1, 2"),
    ("x = [1, 2", "]", ", (3), [4]]\ny", ", (3), [4]"),
    ("foo([1, 2", ")", ", 3])\n", ", 3]"),
    ("fn main() {\n    ", "\n}", "if x {\n        y();\n    }\n}\n", "if x {\n        y();\n    }"),
    ("{", "}", "}", ""),
    # rule 2: a line of its own
    ("def f(a, b):\n    ", "return a+b", "c = a\n    return a + b\n", "c = a\n    "),
    (
        "def f(x):\n    if x:\n        ",
        "\n    return x\n",
        "return 1\n    return x\n",
        "return 1",
    ),
    (
        "def m\n  ",
        "\nend\n",
        "list.each do |x|\n    append x\n  end\nend\n",
        "list.each do |x|\n    append x\n  end",
    ),
    ("def f():\n", "    return 1", "    x = 2\n    return 1", "    x = 2\n"),
    ('def f():\n    """', '\n    """\n    return 1', 'Say it.\n    """\n    return 1', "Say it."),
    ("a\n", "\n\n\nb = 1", "c\n\nb = 1", "c"),
    # rule 2: out of the block
    ("def f():\n    ", "\n\nprint(f())\n", "return 1\n\n# Example\nprint()", "return 1"),
    ("def f():\n    ", "\n\nprint(f())\n", "return g(\n1\n)\n```\nThis", "return g(\n1\n)"),
    ("class A:\n    def f(self):\n        ", "\n\n    def g(self):\n", "pass\n\n    def h(self):", "pass"),
    ("if x:\n\ty(", ")\nz()", "1, 2)\nw()", "1, 2"),
    # rule 3: the line goes on
    ('print("', '")\nmain()', 'a", "b")\n', 'a", "b'),
    ("f(", ", 1)", "g(a, b), 1)", "g(a, b)"),
    ("int x = ", ";\nreturn x;", "5;\nreturn 0;", "5"),
    ("total = ", " + tax", "price + tax\n", "price"),
    ("for i", " in range(3):", ", j in range(3):\n  pass", ", j"),
    ("x = ", "end", "append(end)", "append("),
]


@pytest.mark.parametrize(("prompt", "suffix", "text", "expected"), CASES)
def test_the_middle_ends_where_the_suffix_resumes(prompt, suffix, text, expected):
    assert middle(prompt, suffix, text) == (expected, True)


@pytest.mark.parametrize(("prompt", "suffix", "text", "expected"), CASES)
def test_the_middle_is_the_same_character_by_character(prompt, suffix, text, expected):
    assert middle(prompt, suffix, text, range(len(text))) == (expected, True)


@pytest.mark.parametrize(
    ("prompt", "suffix", "text"),
    [
        ("print(", ")", "f(x), g(y)"),
        ("def f():\n    ", "\n    return x", "if y: return x\n  return x\n        return x"),
        ("x = ", "end", "append"),
        ("", "second", "first sec"),
        ("a\n", "\nb = 1", "c = 2\n\nd = 3"),
        ("", "\n\n", "text"),
    ],
)
def test_text_in_which_the_suffix_does_not_resume_is_passed_on_whole(prompt, suffix, text):
    if suffix.strip():
        assert middle(prompt, suffix, text) == (text, False)
    else:
        assert suffix_anchor(prompt, suffix) is None


def test_a_word_is_not_cut_before_it_is_whole():
    suffix_filter = SuffixFilter(suffix_anchor("x = ", "end"))
    assert suffix_filter.feed("end") == ""
    assert not suffix_filter.stopped
    assert suffix_filter.feed("less") == "endless"
    assert not suffix_filter.stopped


def test_a_whole_word_at_the_very_end_is_the_suffix():
    assert middle("x = ", "end", "1 end") == ("1 ", True)


def test_blanks_are_held_back_until_it_is_clear_whose_they_are():
    suffix_filter = SuffixFilter(suffix_anchor("{", "\n}"))
    assert suffix_filter.feed("a;\n\n") == "a;"
    assert suffix_filter.feed("b;\n") == "\n\nb;"
    assert suffix_filter.feed("}") == ""
    assert suffix_filter.stopped


def test_nothing_stops_before_the_filter_is_in_force_but_brackets_count():
    suffix_filter = SuffixFilter(suffix_anchor("f(", ")"))
    assert suffix_filter.feed("a)(", may_stop=False) == "a)("
    assert suffix_filter.feed("b)") == "b)"
    assert suffix_filter.feed(")") == ""
    assert suffix_filter.stopped


@given(st.text("a(){}\n ;", max_size=30), st.text("a(){}\n ;", max_size=12), cut_points)
def test_every_split_gives_the_same_middle(text, suffix, cuts):
    if suffix_anchor("p\n  ", suffix) is not None:
        assert middle("p\n  ", suffix, text, cuts) == middle("p\n  ", suffix, text)


@given(st.text("ab(){} \n", max_size=40), st.text("ab(){} \n", min_size=1, max_size=12))
def test_what_is_passed_on_is_always_a_beginning_of_the_text(text, suffix):
    if suffix_anchor("", suffix) is not None:
        passed, stopped = middle("", suffix, text)
        assert text.startswith(passed)
        assert stopped or passed == text


def test_a_huge_suffix_and_endless_blanks_stay_cheap():
    suffix_filter = SuffixFilter(suffix_anchor("", "\n" * 100_000 + "x" * 100_000))
    for _ in range(2000):
        suffix_filter.feed("\n")
        assert len(suffix_filter._held) <= 1000
