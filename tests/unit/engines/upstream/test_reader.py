import json

import pytest

from tests.support.upstream_stand_in import chunk, usage
from tramontane.core.events import ChoiceEnd, FinishReason, TextDelta, ThinkingDelta
from tramontane.core.remote import RemoteRequest, RunningUsage
from tramontane.core.usage import Usage
from tramontane.engines.upstream.failures import BusyError, ReplicaError
from tramontane.engines.upstream.reader import AnswerReader
from tramontane.errors import ContextLengthError, UpstreamRefusalError


def read(*chunks, used=None, **request):
    reader = AnswerReader(
        RemoteRequest("chat/completions", {}, **request), used or RunningUsage(estimated_prompt_tokens=50)
    )
    events = [event for said in chunks for event in reader.feed(json.dumps(said).encode())]
    return [*events, *reader.end()]


def call(index=None, call_id=None, **function):
    part = {"function": function} | ({} if index is None else {"index": index})
    return part if call_id is None else part | {"id": call_id}


def test_mistral_says_end_and_usage_with_the_last_text():
    events = read(
        chunk(role="assistant", content=""),
        chunk(content="Hel"),
        chunk(finish_reason="stop", content="lo") | {"usage": usage(7, 2, cached=4)},
    )

    assert events == [TextDelta(0, "Hel"), ChoiceEnd(0, "lo", FinishReason.STOP, Usage(7, 2, 4))]


def test_openai_says_the_usage_behind_the_end():
    events = read(
        chunk(role="assistant", content=""),
        chunk(content="Hello"),
        chunk(finish_reason="stop"),
        {"choices": [], "usage": usage(7, 1)},
    )

    assert events == [TextDelta(0, "Hello"), ChoiceEnd(0, "", FinishReason.STOP, Usage(7, 1))]


def test_without_usage_the_estimate_and_the_pieces_count():
    used = RunningUsage(estimated_prompt_tokens=50)

    events = read(chunk(content="a"), chunk(content="b"), chunk(finish_reason="stop"), used=used)

    assert events[-1].usage == Usage(50, 2)
    assert not used.is_exact


def test_what_was_used_is_known_while_the_answer_comes():
    used = RunningUsage(estimated_prompt_tokens=50)
    reader = AnswerReader(RemoteRequest("chat/completions", {}), used)
    assert used.usage == Usage(0)

    reader.feed(json.dumps(chunk(content="a")).encode())
    assert used.usage == Usage(50, 1)

    reader.feed(json.dumps(chunk(content="b") | {"usage": usage(9, 2)}).encode())
    assert used.usage == Usage(9, 2)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_of_openai_like_servers(field):
    events = read(chunk(**{field: "Hm."}), chunk(content="4"), chunk(finish_reason="stop"))

    assert events[:2] == [ThinkingDelta(0, "Hm."), TextDelta(0, "4")]


def test_thoughts_of_mistral():
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]
    closing = [
        {"type": "thinking", "thinking": [], "closed": True},
        {"type": "text", "text": "4"},
        {"type": "reference", "reference_ids": [0]},
    ]

    events = read(chunk(content=thinking), chunk(content=closing), chunk(finish_reason="stop"))

    assert events[:2] == [ThinkingDelta(0, "Hm."), TextDelta(0, "4")]


def test_calls_come_whole_at_the_end_with_ids_and_blanks_of_the_hosted_form():
    events = read(
        chunk(content="I look."),
        chunk(tool_calls=[call(0, "call_abcdef123", name="weather", arguments="")]),
        chunk(tool_calls=[call(0, arguments='{"city":')]),
        chunk(tool_calls=[call(0, arguments='"Paris"}')]),
        chunk(tool_calls=[call(1, "aB3dE6gH9", name="time", arguments="{}")]),
        chunk(finish_reason="tool_calls"),
    )

    assert events[0] == TextDelta(0, "I look.")
    end = events[-1]
    assert end.finish_reason is FinishReason.TOOL_CALLS
    assert [(made.name, made.arguments) for made in end.tool_calls] == [
        ("weather", '{"city": "Paris"}'),
        ("time", "{}"),
    ]
    assert end.tool_calls[1].id == "aB3dE6gH9"
    assert len(end.tool_calls[0].id) == 9
    assert end.tool_calls[0].id.isalnum()


def test_calls_without_numbers_and_with_arguments_as_objects():
    events = read(
        chunk(
            tool_calls=[call(name="a", arguments={"x": "é"}), call(name="b", arguments={})],
            finish_reason="tool_calls",
        )
    )

    assert [(made.name, made.arguments) for made in events[-1].tool_calls] == [
        ("a", '{"x": "é"}'),
        ("b", "{}"),
    ]


def test_a_call_that_was_cut_has_no_arguments():
    events = read(
        chunk(tool_calls=[call(0, "1", name="weather", arguments='{"ci')]), chunk(finish_reason="length")
    )

    assert events[-1].finish_reason is FinishReason.LENGTH
    assert events[-1].tool_calls[0].arguments == ""


def test_no_more_calls_than_were_asked_for():
    parts = [call(index, str(index), name="f", arguments="{}") for index in range(3)]

    events = read(chunk(tool_calls=parts), chunk(finish_reason="tool_calls"), max_calls=1)

    assert len(events[-1].tool_calls) == 1


def test_half_a_character_in_arguments_stays_an_escape():
    events = read(
        chunk(tool_calls=[call(0, "1", name="f", arguments='{"x":"\\ud83d"}')], finish_reason="stop")
    )

    assert events[-1].tool_calls[0].arguments == '{"x": "\\ud83d"}'
    assert events[-1].finish_reason is FinishReason.TOOL_CALLS


def test_several_answers_end_one_after_another_and_the_last_has_the_usage():
    events = read(
        chunk(0, content="a"),
        chunk(1, content="b"),
        chunk(1, finish_reason="length"),
        chunk(0, finish_reason="stop"),
        {"choices": [], "usage": usage(7, 2)},
        n=2,
    )

    ends = [event for event in events if isinstance(event, ChoiceEnd)]
    assert [(end.index, end.usage) for end in ends] == [(1, None), (0, Usage(7, 2))]


def test_a_prefix_that_the_server_does_not_repeat_is_put_in_front():
    events = read(chunk(content="lo"), chunk(finish_reason="stop"), prefix="Hel")

    assert events[0] == TextDelta(0, "Hello")
    assert read(chunk(finish_reason="stop"), prefix="Hel")[-1].text == "Hel"


def test_an_empty_answer_counts_its_prompt():
    assert read(chunk(finish_reason="stop"))[-1] == ChoiceEnd(0, "", FinishReason.STOP, Usage(50))


def test_log_probabilities_come_with_their_text():
    logprobs = {"content": [{"token": "H", "logprob": -0.5, "bytes": [72], "token_id": 9}]}
    said = {"choices": [{"index": 0, "delta": {"content": "H"}, "finish_reason": None, "logprobs": logprobs}]}

    [token] = read(said, chunk(finish_reason="stop"))[0].logprobs

    assert (token.token_id, token.token_bytes, token.logprob) == (9, b"H", -0.5)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"no JSON",
        b"[]",
        b'{"choices": 1}',
        b'{"choices": [{"delta": {"content": 7}}]}',
        b'{"choices": [{"index": 1, "delta": {}}]}',
        b'{"choices": [{"index": -1, "delta": {}}]}',
        b'{"choices": [{"delta": {"content": "\xff"}}]}',
        b'{"choices": [{"delta": {}, "finish_reason": "abort"}]}',
    ],
)
def test_what_is_no_chunk_is_the_fault_of_the_server(garbage):
    reader = AnswerReader(RemoteRequest("chat/completions", {}), RunningUsage(1))

    with pytest.raises(ReplicaError):
        reader.feed(garbage)


def test_a_stream_that_ends_before_the_answer_was_cut():
    with pytest.raises(ReplicaError, match="ended before the answer"):
        read(chunk(content="a"))
    with pytest.raises(ReplicaError):
        read(chunk(0, finish_reason="stop"), n=2)


@pytest.mark.parametrize(
    ("event", "raised"),
    [
        ({"error": {"message": "boom", "code": 500}}, ReplicaError),
        ({"object": "error", "message": "boom", "raw_status_code": 503}, ReplicaError),
        ({"error": {"message": "slow down", "code": 429}}, BusyError),
        ({"error": {"message": "bad grammar", "code": 400}}, UpstreamRefusalError),
        ({"error": "boom"}, ReplicaError),
        (
            {
                "error": {
                    "code": 400,
                    "message": "request (9 tokens) exceeds the available context size (4 tokens)",
                }
            },
            ContextLengthError,
        ),
    ],
)
def test_an_error_in_the_stream_is_whose_fault_it_says(event, raised):
    with pytest.raises(raised):
        read(event)


def test_calls_without_end_are_not_kept(monkeypatch):
    monkeypatch.setattr("tramontane.engines.upstream.reader.MAX_CALL_CHARACTERS", 100)
    piece = chunk(tool_calls=[call(0, "1", name="f", arguments="a" * 60)])

    with pytest.raises(ReplicaError, match="no end"):
        read(piece, piece)
