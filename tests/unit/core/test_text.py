import pytest

from tramontane.core.text import printable


@pytest.mark.parametrize("text", ["", "plain", "two\nlines\tand a tab", "naïve 日本語 👩‍💻 é"])
def test_ordinary_text_stays_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("over\rwritten", r"over\rwritten"),
        ("\x9b31m", r"\x9b31m"),
        ("\x7f\x00", r"\x7f\x00"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud83d alone", r"\ud83d alone"),
    ],
)
def test_what_could_command_a_terminal_is_shown_as_an_escape(text, shown):
    assert printable(text) == shown
    printable(text).encode()
