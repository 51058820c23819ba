"""Thoughts, text and calls of whole answers, by text tags and by control tokens."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.parsing.test_detokenizer import cut_points, pieces_of
from tramontane.core.output_format import (
    ListedCalls,
    NamedCalls,
    OutputFormat,
    Section,
    TaggedCalls,
    TaggedThoughts,
    TokenThoughts,
)
from tramontane.core.vocabulary import Vocabulary
from tramontane.parsing.parser import AnswerParser
from tramontane.parsing.stop import StopStrings

CALLS, ARGS, CALL_ID, THINK, THINK_END = range(256, 261)
VOCABULARY = Vocabulary(
    [bytes([value]) for value in range(256)]
    + [b"<tool_call>", b"</tool_call>", b"<mark>", b"<think>", b"</think>"],
    special_ids=frozenset(range(256, 261)),
)
TAG_TOKENS = OutputFormat(
    TaggedCalls(tokens={"<tool_call>": CALLS, "</tool_call>": ARGS}),
    TaggedThoughts(tokens={"<think>": THINK, "</think>": THINK_END}),
)
TAGS = OutputFormat(TaggedCalls(), TaggedThoughts())
LISTED = OutputFormat(ListedCalls(CALLS), TokenThoughts(THINK, THINK_END))
NAMED = OutputFormat(NamedCalls(CALLS, ARGS), TokenThoughts(THINK, THINK_END))
NAMED_WITH_ID = OutputFormat(NamedCalls(CALLS, ARGS, CALL_ID))

CALL = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
BROKEN = '<tool_call>\n{"name": "f", "arguments": {"a": }}\n</tool_call>'
F = ("f", '{"a": 1}')


def tokens(*parts):
    return [i for part in parts for i in ([part] if isinstance(part, int) else part.encode())]


def read(output_format, ids, cuts=(), *, cut=False, stop=(), begins_in=Section.TEXT, max_calls=None):
    """Text, thought and calls."""
    parser = AnswerParser(
        VOCABULARY,
        StopStrings(stop),
        output_format=output_format,
        begins_in=begins_in,
        max_calls=max_calls,
    )
    pieces = [parser.feed(piece) for piece in pieces_of(list(ids), cuts)] + [parser.flush(cut=cut)]
    calls = [(call.name, call.arguments) for call in parser.found.calls]
    return "".join(p.text for p in pieces), "".join(p.thought for p in pieces), calls


def tagged(text, **options):
    return read(TAGS, tokens(text), **options)


begins = st.sampled_from([Section.TEXT, Section.THOUGHT])

SNIPPETS = [
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<tool", "_call>", "<thi", "</", " ", "\n", "é",
    '{"name": "f", "arguments": {"t": "</tool_call>"}}', '[{"name": "g"}', "]", ", ", '{"name": "', '"', "{}",
    "x",
]  # fmt: skip
MARKED = [
    CALLS,
    ARGS,
    CALL_ID,
    THINK,
    THINK_END,
    "f",
    '{"a": 1}',
    "[",
    "]",
    "é",
    " ",
    '{"name": "f"}',
    "[ARGS]",
]


@given(
    st.lists(st.sampled_from(SNIPPETS), max_size=12),
    cut_points,
    st.booleans(),
    st.sampled_from([(), ("x",), ("> ",)]),
    begins,
    st.sampled_from([None, 1, 2]),
)
def test_tags_are_found_however_the_answer_is_split(snippets, cuts, cut, stop, begins_in, max_calls):
    ids = tokens(*snippets)
    options = {"cut": cut, "stop": stop, "begins_in": begins_in, "max_calls": max_calls}
    assert read(TAGS, ids, cuts, **options) == read(TAGS, ids, **options)


@given(
    st.sampled_from([LISTED, NAMED, NAMED_WITH_ID, TAG_TOKENS]),
    st.lists(st.sampled_from(MARKED), max_size=12),
    cut_points,
    st.booleans(),
    begins,
    st.sampled_from([None, 1, 2]),
)
def test_marks_are_found_however_the_answer_is_split(output_format, parts, cuts, cut, begins_in, max_calls):
    ids = tokens(*parts)
    options = {"cut": cut, "begins_in": begins_in, "max_calls": max_calls}
    assert read(output_format, ids, cuts, **options) == read(output_format, ids, **options)


@given(st.lists(st.sampled_from(SNIPPETS), max_size=12))
@example(["<tool_call>", '{"name": "', "</tool_call>", "<tool_call>"])
def test_nothing_but_blanks_is_lost_of_an_answer_without_calls(snippets):
    answer = "x" + "".join(snippets)
    text, thought, calls = tagged(answer)
    assert not thought
    if not calls:
        assert re.sub(r"\s", "", text) == re.sub(r"\s", "", answer)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Plain.", ("Plain.", "", [])),
        (CALL, ("", "", [F])),
        (f"I look.\n\n{CALL}", ("I look.", "", [F])),
        (f"{CALL}\n{CALL}", ("", "", [F, F])),
        (f"{CALL}\nDone.", ("\nDone.", "", [F])),
        ('<tool_call>[{"name": "f", "arguments": {"a":1}}, {"name": "g"}]</tool_call>',
         ("", "", [F, ("g", "{}")])),
        ("<tool_call>[]</tool_call>", ("", "", [])),
        ('<tool_call>{"name": "f", "parameters": {"a": 1}}', ("", "", [F])),
        ('<tool_call>{"name": "f", "arguments": "{\\"a\\": 1}"}</tool_call>', ("", "", [F])),
        ('<tool_call>{"name": "f", "arguments": {"t": "</tool_call>é\n"}}</tool_call>',
         ("", "", [("f", '{"t": "</tool_call>é\\n"}')])),
        ("Write <tool_call> around it.", ("Write <tool_call> around it.", "", [])),
        (BROKEN, (BROKEN, "", [])),
        (f"{BROKEN}\n{CALL}", (BROKEN, "", [F])),
        ('<tool_call>{"name": ""}</tool_call>', ('<tool_call>{"name": ""}</tool_call>', "", [])),
        ('<tool_call>{"name": "f", "arguments": [1]}',
         ('<tool_call>{"name": "f", "arguments": [1]}', "", [])),
        ("<think>\nHm.\n</think>\n\nYes.", ("Yes.", "Hm.", [])),
        (f"<think>Hm.</think>{CALL}", ("", "Hm.", [F])),
        ("<think>Hm", ("", "Hm", [])),
        ("Yes. <think>Hm.</think>", ("Yes. <think>Hm.</think>", "", [])),
        (f"<think>{CALL}</think>Yes.", ("Yes.", CALL, [])),
        ("\n\nYes.", ("\n\nYes.", "", [])),
    ],
)  # fmt: skip
def test_tags(answer, expected):
    assert tagged(answer) == expected


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        ('<tool_call>\n{"name": "f", "arguments": {"a": ', [("f", "")]),
        ('<tool_call>\n{"name": "f"', [("f", "")]),
        ('<tool_call>\n{"name": "f', []),
        ('<tool_call>\n{"na', []),
        (f'{CALL}\n<tool_call>{{"name": "g", "arguments"', [F, ("g", "")]),
        ('<tool_call>[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "ar', [F, ("g", "")]),
        ('<tool_call>{"name": "f", "arguments": {"a": 1}}', [F]),
        ('<tool_call>{"name": "f", "arguments": {"a": 1}}</tool', [F]),
    ],
)
def test_a_call_that_the_length_cuts_has_no_arguments(answer, calls):
    assert tagged(answer, cut=True)[2] == calls


@pytest.mark.parametrize(
    "arguments",
    ['{"a": NaN}', '{"a": 1e999}', '{"a": %s}' % ("1" * 5000), '{"a":' * 2000 + "1" + "}" * 2000],
)
def test_numbers_and_depths_that_json_cannot_say_again_are_text(arguments):
    answer = f'<tool_call>{{"name": "f", "arguments": {arguments}}}</tool_call>'
    assert tagged(answer) == (answer, "", [])


def test_half_a_surrogate_pair_stays_escaped():
    [(_, arguments)] = tagged('<tool_call>{"name": "f", "arguments": {"a": "\\ud83c"}}</tool_call>')[2]
    assert arguments == '{"a": "\\ud83c"}'
    assert tagged('<tool_call>{"name": "\\ud83c", "arguments": {}}</tool_call>')[2] == []


def test_a_thought_that_the_prompt_begins_goes_on():
    assert tagged("\nHm.</think> Yes.", begins_in=Section.THOUGHT) == ("Yes.", "Hm.", [])


def test_many_blanks_before_a_tag_are_text_but_for_the_last():
    assert tagged("a" + " " * 100 + CALL) == ("a" + " " * 36, "", [F])


def test_stop_strings_end_the_text_and_are_not_looked_for_elsewhere():
    assert tagged(f"<think>a.</think>b{CALL}", stop=["."]) == ("b", "a.", [F])
    assert tagged(f"b.{CALL}", stop=["."]) == ("b", "", [])
    assert tagged(f"{CALL} b. c", stop=["."]) == (" b", "", [F])
    assert tagged("b. <tool_call", stop=["_call"]) == ("b. <tool", "", [])


@pytest.mark.parametrize(
    ("output_format", "answer", "expected"),
    [
        (LISTED, ["Hi"], ("Hi", "", [])),
        (LISTED, ["Hi", CALLS, '[{"name": "f", "arguments": {"a": 1}, "id": "abcdefghi"}]'], ("Hi", "", [F])),
        (LISTED, [CALLS, '[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]'],
         ("", "", [F, ("g", "{}")])),
        (LISTED, [CALLS, '[{"name": "f"}]', CALLS, '[{"name": "g"}]'], ("", "", [("f", "{}"), ("g", "{}")])),
        (LISTED, [CALLS, '[{"name": '], ('[{"name": ', "", [])),
        (LISTED, [THINK, "Hm.", THINK_END, "Yes", THINK, "so", THINK_END, "."], ("Yes.", "Hm.so", [])),
        (LISTED, [THINK, "Hm.", CALLS, '[{"name": "f"}]'], ("", "Hm.", [("f", "{}")])),
        (NAMED, [CALLS, "f", ARGS, '{"a":1}'], ("", "", [F])),
        (NAMED, ["Hi", CALLS, "f", ARGS, '{"a":1}', CALLS, "g", ARGS, "{}"], ("Hi", "", [F, ("g", "{}")])),
        (NAMED, [CALLS, 'f{"a":1}'], ("", "", [F])),
        (NAMED, [CALLS, "f", ARGS], ("", "", [("f", "{}")])),
        (NAMED, [CALLS, 'f[ARGS]{"a": 1}[TOOL_CALLS]g[ARGS]{}'], ("", "", [F, ("g", "{}")])),
        (NAMED, [CALLS, "f", ARGS, '{"a": '], ('f[ARGS]{"a": ', "", [])),
        (NAMED_WITH_ID, [CALLS, "f", CALL_ID, "abcdefghi", ARGS, '{"a":1}'], ("", "", [F])),
    ],
)  # fmt: skip
def test_control_tokens(output_format, answer, expected):
    assert read(output_format, tokens(*answer)) == expected


@pytest.mark.parametrize(
    ("output_format", "answer", "calls"),
    [
        (LISTED, [CALLS, '[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "ar'], [F, ("g", "")]),
        (NAMED, [CALLS, "f", ARGS, '{"a": '], [("f", "")]),
        (NAMED, [CALLS, "f", ARGS], [("f", "")]),
        (NAMED, [CALLS, "f"], []),
        (NAMED, [CALLS, "f", ARGS, '{"a":1}', CALLS, "g", ARGS, "{"], [F, ("g", "")]),
    ],
)
def test_calls_by_tokens_that_the_length_cuts(output_format, answer, calls):
    assert read(output_format, tokens(*answer), cut=True)[2] == calls


@pytest.mark.parametrize(
    ("output_format", "answer", "expected"),
    [
        (TAGS, ["I look. ", CALL, "\n", CALL], "I look. "),
        (TAGS, [f'<tool_call>[{CALL[12:-13]}, {{"name": "g"}}]</tool_call>'], ""),
        (TAGS, [BROKEN, "\n", CALL, "more"], BROKEN),
        (TAG_TOKENS, ["I look.", CALLS, '{"name": "f", "arguments": {"a": 1}}', ARGS, "more"], "I look."),
        (LISTED, [CALLS, '[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]'], ""),
        (NAMED, ["Hi", CALLS, "f", ARGS, '{"a":1}', CALLS, "g", ARGS, "{}"], "Hi"),
        (NAMED_WITH_ID, [CALLS, "f", CALL_ID, "abcdefghi", ARGS, '{"a":1}', CALLS, "g"], ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cut", [False, True])
def test_an_answer_is_over_with_the_last_call_that_there_may_be(output_format, answer, expected, cut):
    ids = tokens(*answer)
    assert read(output_format, ids, cut=cut, max_calls=1) == (expected.rstrip(), "", [F])

    parser = AnswerParser(VOCABULARY, output_format=output_format, max_calls=1)
    parser.feed(ids)
    assert parser.stopped
    assert parser.token_count < len(ids)


def test_tags_that_are_control_tokens_are_read_as_what_they_are_written_as():
    answer = tokens(THINK, "Hm.", THINK_END, "I look.", CALLS, '{"name": "f", "arguments": {"a": 1}}', ARGS)
    assert read(TAG_TOKENS, answer) == ("I look.", "Hm.", [F])
    silent = replace(TAG_TOKENS, calls=None)
    assert read(silent, answer) == ('I look.{"name": "f", "arguments": {"a": 1}}', "Hm.", [])


def test_half_a_character_before_a_mark_is_never_completed():
    assert read(LISTED, [0xC3, THINK, 0xA9, THINK_END]) == ("\ufffd", "\ufffd", [])


def test_ids_are_nine_letters_and_digits_and_all_different():
    parser = AnswerParser(VOCABULARY, output_format=TAGS)
    parser.feed(tokens(CALL * 3))
    parser.flush()
    ids = {call.id for call in parser.found.calls}
    assert len(ids) == 3
    assert all(re.fullmatch(r"[a-zA-Z0-9]{9}", call_id) for call_id in ids)


def test_a_model_marks_by_text_or_by_tokens():
    with pytest.raises(ValueError, match="either by text or by tokens"):
        AnswerParser(VOCABULARY, output_format=OutputFormat(TaggedCalls(), TokenThoughts(1, 2)))
