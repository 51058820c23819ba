"""Streams, byte for byte, through a real server."""

import json

import pytest

from tests.api.conftest import CHAT, received
from tests.api.fakes import NOW, USAGE, answer
from tramontane.core.events import ChoiceEnd, FinishReason, TextDelta, ThinkingDelta, TokenLogprob, ToolCall
from tramontane.errors import EngineError
from tramontane.schemas.completions import CompletionChunk

URL = "/v1/chat/completions"
USAGE_JSON = (
    '"usage":{"prompt_tokens":23,"total_tokens":26,"completion_tokens":3,'
    '"prompt_tokens_details":{"cached_tokens":16},"service_tier":"standard"}'
)


@pytest.fixture
def stream(live):
    def post(url=URL, **fields):
        with live.post(url, json.dumps(CHAT | {"stream": True} | fields).encode()) as connection:
            return received(connection)

    return post


def head(body):
    """What all frames of an answer begin with."""
    answer_id = json.loads(body.decode().split("\n")[0][6:])["id"]
    return (
        f'data: {{"id":"{answer_id}","object":"chat.completion.chunk","created":{NOW},'
        '"model":"mistral-large-latest","choices":[{'
    )


def frames(body):
    return [json.loads(line[6:]) for line in body.decode().split("\n\n") if line.startswith("data: {")]


def test_a_stream_is_the_hosted_one_byte_for_byte(stream, chat):
    chat.script = answer("P", "ong")
    status, headers, body = stream()

    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    start = head(body)
    assert body.decode() == (
        f'{start}"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":null}}]}}\n\n'
        f'{start}"index":0,"delta":{{"content":"P"}},"finish_reason":null}}]}}\n\n'
        f'{start}"index":0,"delta":{{"content":"ong"}},"finish_reason":"stop"}}],{USAGE_JSON}}}\n\n'
        "data: [DONE]\n\n"
    )


def test_all_calls_come_in_one_delta_with_reason_and_usage(stream, chat):
    calls = (ToolCall("aq1aPdShN", "look", '{"at": "é"}'), ToolCall("bbbbbbbbb", "stop", "{}"))
    chat.script = [TextDelta(0, "I look."), ChoiceEnd(0, "", FinishReason.TOOL_CALLS, USAGE, calls)]
    _, _, body = stream()

    start, arguments = head(body), json.dumps('{"at": "é"}', ensure_ascii=False)
    text, end, *rest = body.decode().split("\n\n")[1:]
    assert text == f'{start}"index":0,"delta":{{"content":"I look."}},"finish_reason":null}}]}}'
    assert end == (
        f'{start}"index":0,"delta":{{"tool_calls":['
        f'{{"id":"aq1aPdShN","type":"function","function":{{"name":"look","arguments":{arguments}}},"index":0}},'
        '{"id":"bbbbbbbbb","type":"function","function":{"name":"stop","arguments":"{}"},"index":1}'
        f']}},"finish_reason":"tool_calls"}}],{USAGE_JSON}}}'
    )
    assert rest == ["data: [DONE]", ""]


def test_thoughts_come_as_chunks_before_the_text(stream, chat):
    chat.script = [ThinkingDelta(0, "Okay"), TextDelta(0, "To"), ChoiceEnd(0, "", FinishReason.STOP, USAGE)]
    _, _, body = stream()

    start = head(body)
    thought, text = body.decode().split("\n\n")[1:3]
    assert thought == (
        f'{start}"index":0,"delta":{{"content":[{{"type":"thinking","thinking":['
        '{"type":"text","text":"Okay"}]}]},"finish_reason":null}]}'
    )
    assert text == f'{start}"index":0,"delta":{{"content":"To"}},"finish_reason":null}}]}}'


def test_logprobs_come_beside_the_delta(stream, chat):
    half = TokenLogprob(7, b"\xc3", -0.5)
    chat.script = [
        TextDelta(0, "P", (TokenLogprob(3, b"P", -0.25),)),
        ChoiceEnd(0, "", FinishReason.LENGTH, USAGE, logprobs=(half,)),
    ]
    _, _, body = stream()

    start = head(body)
    text, end = body.decode().split("\n\n")[1:3]
    assert text == (
        f'{start}"index":0,"delta":{{"content":"P"}},"finish_reason":null,"logprobs":{{"content":['
        '{"token":"P","logprob":-0.25,"bytes":[80],"token_id":3,"top_logprobs":[]}]}}]}'
    )
    assert (
        '"finish_reason":"length","logprobs":{"content":['
        '{"token":"\ufffd","logprob":-0.5,"bytes":[195],"token_id":7,"top_logprobs":[]}]}}],"usage"' in end
    )


def test_headers_of_a_stream(stream):
    _, headers, _ = stream()

    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-tramontane-model"] == "tiny-chat"
    assert headers["access-control-allow-origin"] == "*"
    assert "mistral-correlation-id" in headers
    assert "content-length" not in headers


def test_n_answers_begin_with_their_roles_and_end_with_one_usage(stream, chat):
    chat.script = [
        TextDelta(1, "b"),
        TextDelta(0, "a"),
        ChoiceEnd(0, "", FinishReason.LENGTH),
        ChoiceEnd(1, "", FinishReason.STOP, USAGE),
    ]
    _, _, body = stream(n=2)

    seen = [
        (choice["index"], choice["delta"], choice["finish_reason"], "usage" in frame)
        for frame in frames(body)
        for choice in frame["choices"]
    ]
    assert seen == [
        (0, {"role": "assistant", "content": ""}, None, False),
        (1, {"role": "assistant", "content": ""}, None, False),
        (1, {"content": "b"}, None, False),
        (0, {"content": "a"}, None, False),
        (0, {"content": ""}, "length", False),
        (1, {"content": ""}, "stop", True),
    ]


@pytest.mark.parametrize(
    "text", ['"quoted" \\ \n\t', "日本語 🙂", "\x00\x1b", "data: [DONE]\n\n", "\u2028\u2029"]
)
def test_any_text_is_one_frame_that_reads_as_json(stream, chat, text):
    chat.script = answer(text, "")
    _, _, body = stream(model="org/model:tag")

    assert body.count(b"\n\n") == 4
    assert frames(body)[1]["choices"][0]["delta"]["content"] == text
    assert frames(body)[1]["model"] == "org/model:tag"


def test_every_frame_fits_the_schema(stream, chat):
    chat.script = answer("P", "ong")
    _, _, body = stream()

    for frame in frames(body):
        chunk = CompletionChunk.model_validate(frame)
        assert list(chunk.model_dump(exclude_unset=True)) == list(frame)


def test_fim_streams_the_same_way(stream, live, fim):
    fim.script = answer("return ", "a + b")
    body = {"model": "mistral-large-latest", "prompt": "def add(a, b):", "stream": True}
    with live.post("/v1/fim/completions", json.dumps(body).encode()) as connection:
        _, headers, body = received(connection)

    assert headers["x-tramontane-model"] == "tiny-chat"
    deltas = [frame["choices"][0]["delta"] for frame in frames(body)]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "return "},
        {"content": "a + b"},
    ]
    assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("error", [EngineError(), ZeroDivisionError("secret detail")])
def test_a_failure_on_the_way_is_the_last_frame_and_there_is_no_done(stream, chat, caplog, error):
    chat.script = [TextDelta(0, "P"), error]
    status, _, body = stream()

    assert status == "HTTP/1.1 200 OK"
    assert json.loads(body.decode().split("\n\n")[-2][6:]) == {
        "object": "error",
        "message": "Service unavailable.",
        "type": "internal_server_error",
        "param": None,
        "code": "1000",
        "raw_status_code": 500,
        "error": {
            "message": "Service unavailable.",
            "type": "internal_server_error",
            "param": None,
            "code": "1000",
        },
    }
    assert b"[DONE]" not in body
    assert chat.closed.is_set()
    assert "A stream" in caplog.text


def test_an_error_before_the_first_event_has_a_status(stream, chat):
    chat.script = [EngineError()]
    status, headers, _ = stream()

    assert status == "HTTP/1.1 500 Internal Server Error"
    assert headers["content-type"] == "application/json"


def test_the_first_event_is_not_held_back(live, chat):
    chat.script = [TextDelta(0, "first"), 30, *answer("never")]
    with live.post(URL, json.dumps(CHAT | {"stream": True}).encode()) as connection:
        data = b""
        while b"first" not in data:
            data += connection.recv(65536)
    assert b"never" not in data


def test_a_connection_is_kept_for_the_next_request(live):
    body = json.dumps(CHAT | {"stream": True}).encode()
    request = (
        f"POST {URL} HTTP/1.1\nHost: test\nAuthorization: Bearer the-key\nContent-Length: {len(body)}\n\n"
    )
    with live.sent(request, body) as connection:
        for _ in range(2):
            data = b""
            while not data.endswith(b"0\r\n\r\n"):
                data += connection.recv(65536)
            assert b"[DONE]" in data
            connection.sendall(request.replace("\n", "\r\n").encode() + body)
