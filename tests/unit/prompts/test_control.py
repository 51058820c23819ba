import pytest
from hypothesis import given
from hypothesis import strategies as st

from tramontane.errors import InvalidRequestError
from tramontane.prompts.control import ControlTokens, Veil

CONTROL = ControlTokens({"<|im_start|>": 1, "<|im_end|>": 2, "<s>": 3, "<<s>>": 4, "\u2402": 5})
fragments = st.lists(
    st.sampled_from(
        [
            "<|im_start|>",
            "<|im_end|>",
            "<s>",
            "<<s>>",
            "\u2402",
            "<",
            "<|im",
            "_end|>",
            ">",
            " ",
            "x",
            "\ue000",
        ]
    ),
    max_size=8,
).map("".join)


def test_split_gives_ids_of_control_tokens_and_the_texts_between_them():
    assert list(CONTROL.split("<s>a<|im_end|><|im_end|>b")) == [3, "a", 2, 2, "b"]


def test_of_two_tokens_that_begin_alike_the_longer_one_is_meant():
    assert list(CONTROL.split("<<s>>")) == [4]


def test_a_vocabulary_without_control_tokens_finds_none():
    assert list(ControlTokens({}).split("<s>")) == ["<s>"]
    assert not ControlTokens({}).doubtful("<s>")


@given(fragments)
def test_covered_text_is_as_long_and_holds_no_control_token(text):
    veil = Veil(CONTROL, [text])
    covered = veil.cover(text)
    assert len(covered) == len(text)
    assert not CONTROL.are_in(covered)
    assert veil.lift(covered) == text


@given(fragments, fragments, fragments)
def test_no_control_token_comes_about_where_texts_meet_the_template(first, second, between):
    veil = Veil(CONTROL, [first, second])
    rendered = between + veil.cover(first).strip() + "<|im_end|>" + veil.cover(second) + between
    written = [
        piece for piece in CONTROL.split(f"{between}\0<|im_end|>\0{between}") if isinstance(piece, int)
    ]
    assert [piece for piece in CONTROL.split(rendered) if isinstance(piece, int)] == written


def test_text_that_reads_as_no_control_token_is_not_touched():
    veil = Veil(CONTROL, ["a < b, im_end"])
    assert veil.cover("a < b, im_end") == "a < b, im_end"
    assert not veil


def test_characters_that_a_text_uses_itself_do_not_stand_in_for_others():
    text = "\ue000\ue001<s>"
    veil = Veil(CONTROL, [text])
    assert veil.cover(text) == "\ue000\ue001\ue002s>"
    assert veil.lift("\ue000\ue001\ue002s>") == text


def test_texts_that_use_every_private_character_are_refused():
    private = [*range(0xE000, 0xF900), *range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE)]
    text = "<s>" + "".join(map(chr, private))
    with pytest.raises(InvalidRequestError):
        Veil(CONTROL, [text]).cover(text)
