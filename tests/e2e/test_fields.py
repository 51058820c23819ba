"""Fields of requests on the real engine, over HTTP: each does what it says, at once and as a stream."""

import json
import threading
from itertools import pairwise

import pytest

from tramontane.serving.chat import SAFE_PROMPT

pytestmark = [pytest.mark.e2e, pytest.mark.engine]

MODEL = "mistral-small-latest"
CODE = "def add(a, b):\n    "


@pytest.fixture(scope="module")
def client(server):
    with server.client(timeout=240) as client:
        yield client


def body(text="Tell me a story about the sea.", **fields):
    defaults = {"model": MODEL, "messages": [{"role": "user", "content": text}], "temperature": 0}
    return defaults | {"max_tokens": 40} | fields


def gap(**fields):
    return {
        "model": "codestral-latest",
        "prompt": CODE,
        "suffix": "",
        "temperature": 0,
        "max_tokens": 40,
    } | fields


def post(client, request, path="/v1/chat/completions"):
    answer = client.post(path, json=request)
    assert answer.status_code == 200, answer.text
    return answer.json()


def said(client, **fields):
    """The text of the one answer to a conversation."""
    return post(client, body(**fields))["choices"][0]["message"]["content"]


def filled(client, **fields):
    return post(client, gap(**fields), "/v1/fim/completions")["choices"][0]


def streamed(client, request, path="/v1/chat/completions"):
    with client.stream("POST", path, json=request | {"stream": True}) as answer:
        assert answer.status_code == 200, answer.read()
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line)["choices"][0] for line in lines]


def text_of(choices):
    return "".join(choice["delta"].get("content", "") for choice in choices)


def refused(client, request, path="/v1/chat/completions"):
    """The body of a 400, which is the same JSON for a stream."""
    answers = [client.post(path, json=request | {"stream": stream}) for stream in (False, True)]
    for answer in answers:
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/json"
    whole, stream = (answer.json() for answer in answers)
    assert whole == stream
    assert whole["object"] == "error"
    assert whole["raw_status_code"] == 400
    return whole


class TestLogprobs:
    def test_every_token_of_an_answer_has_its_own(self, client):
        answer = post(client, body(logprobs=True))
        (choice,) = answer["choices"]
        tokens = choice["logprobs"]["content"]

        assert list(choice) == ["index", "finish_reason", "message", "logprobs"]
        assert len(tokens) == answer["usage"]["completion_tokens"]
        for token in tokens:
            assert list(token) == ["token", "logprob", "bytes", "token_id", "top_logprobs"]
            assert token["logprob"] <= 0
            assert bytes(token["bytes"]).decode(errors="replace") == token["token"]
            assert token["top_logprobs"] == []
        spelled = b"".join(bytes(token["bytes"]) for token in tokens).decode()
        assert spelled.strip() == choice["message"]["content"].strip()

    def test_a_stream_has_the_same_beside_its_text(self, client):
        whole = post(client, body(logprobs=True))["choices"][0]["logprobs"]["content"]
        choices = streamed(client, body(logprobs=True))
        pieces = [choice["logprobs"]["content"] for choice in choices if "logprobs" in choice]

        assert len(pieces) > 1
        listed = [token for piece in pieces for token in piece]
        assert [token["token_id"] for token in listed] == [token["token_id"] for token in whole]
        assert [token["logprob"] for token in listed] == pytest.approx([t["logprob"] for t in whole], abs=0.1)

    @pytest.mark.parametrize("fields", [{}, {"logprobs": False}, {"logprobs": None}])
    def test_there_are_none_unless_asked_for(self, client, fields):
        assert "logprobs" not in post(client, body(**fields))["choices"][0]

    @pytest.mark.parametrize(
        "fields",
        [
            {"top_logprobs": 2},
            {"logprobs": True, "top_logprobs": 5},
            {"prompt_logprobs": True},
            {"top_prompt_logprobs": 1},
        ],
    )
    def test_what_the_engine_cannot_tell_is_the_hosted_refusal(self, client, fields):
        error = refused(client, body(**fields))
        assert error["message"] == "Logprobs are not enabled for this model"
        assert (error["type"], error["code"]) == ("invalid_request_invalid_args", "3051")


class TestSampling:
    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/fim/completions"])
    def test_greedy_sampling_leaves_nothing_for_top_p(self, client, path):
        request = body() if "chat" in path else gap()
        error = refused(client, request | {"top_p": 0.9}, path)
        assert error["message"] == "top_p must be 1 when using greedy sampling."
        assert error["code"] == "3054"

    def test_one_candidate_is_the_greedy_one(self, client):
        assert said(client, temperature=1.5, top_k=1) == said(client)

    def test_a_seed_is_an_answer(self, client):
        first, again, other = (said(client, temperature=1, random_seed=seed) for seed in (7, 7, 8))
        assert first == again
        assert first != other

    def test_what_was_said_is_said_less_with_a_penalty(self, client):
        def distinct(**fields):
            request = body("Say: sea sea sea sea sea sea sea sea", min_tokens=40, logprobs=True, **fields)
            tokens = post(client, request)["choices"][0]["logprobs"]["content"]
            return len({token["token_id"] for token in tokens})

        plain = distinct(repetition_penalty=1)
        assert distinct(repetition_penalty=3) > plain
        assert distinct(repetition_penalty=1, frequency_penalty=2) > plain
        assert distinct(repetition_penalty=1, presence_penalty=2) > plain

    def test_hints_change_nothing(self, client):
        plain = said(client)
        for hint in (
            {"prediction": {"type": "content", "content": "Once upon a time"}},
            {"metadata": {"ticket": {"id": 7}}},
            {"service_tier": "auto"},
            {"service_tier": "standard_only"},
            {"prompt_cache_key": "a"},
        ):
            assert said(client, **hint) == plain, hint

    def test_guardrails_are_refused(self, client):
        error = refused(client, body(guardrails=[{"moderation_llm_v2": {"action": "block"}}]))
        assert error["message"] == "Guardrails are not enabled for this model"
        assert error["code"] == "3051"

    def test_the_safe_prompt_is_a_system_message(self, client):
        safe = post(client, body(safe_prompt=True))
        told = body()
        told["messages"].insert(0, {"role": "system", "content": SAFE_PROMPT})
        explicit = post(client, told)
        assert safe["usage"]["prompt_tokens"] == explicit["usage"]["prompt_tokens"]
        assert safe["choices"][0]["message"] == explicit["choices"][0]["message"]
        assert safe["usage"]["prompt_tokens"] != post(client, body())["usage"]["prompt_tokens"]


class TestLength:
    def test_max_tokens_is_length(self, client):
        answer = post(client, body(max_tokens=3, min_tokens=3))
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"]["completion_tokens"] == 3
        assert streamed(client, body(max_tokens=3, min_tokens=3))[-1]["finish_reason"] == "length"

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/fim/completions"])
    def test_a_prompt_beyond_the_context_has_the_hosted_phrase(self, client, path):
        request = body("sea " * 9000) if "chat" in path else gap(prompt="sea " * 9000)
        error = refused(client, request, path)
        assert "too large for model with 8192 maximum context length" in error["message"]
        assert error["code"] == "3051"

    def test_min_tokens_hold_the_end_off(self, client):
        short = post(client, body("Answer with one word: yes or no?", max_tokens=200))
        assert short["choices"][0]["finish_reason"] == "stop"
        count = short["usage"]["completion_tokens"] + 20
        long = post(client, body("Answer with one word: yes or no?", max_tokens=200, min_tokens=count))
        assert long["usage"]["completion_tokens"] >= count


class TestStop:
    """Where a text ends, found with the borders of its tokens, which a stop string is put across."""

    def test_a_stop_string_may_span_tokens(self, client):
        choice = post(client, body(logprobs=True, min_tokens=40))["choices"][0]
        text = choice["message"]["content"]
        tokens = [token["token"] for token in choice["logprobs"]["content"]]
        stop = next(a[-2:] + b[:2] for a, b in pairwise(tokens[8:]) if len(a) > 1 and len(b) > 1)
        expected = text[: text.index(stop)]
        assert expected != text

        whole = post(client, body(stop=[stop, "\x00never"]))["choices"][0]
        assert whole["message"]["content"] == expected
        assert whole["finish_reason"] == "stop"
        choices = streamed(client, body(stop=stop))
        assert text_of(choices) == expected
        assert choices[-1]["finish_reason"] == "stop"

    def test_characters_may_span_tokens(self, client):
        text = "Où ça? 🌬️ Là-bas, à l’été — 風 😀😀 Ω"
        form = {"type": "json_schema", "json_schema": {"name": "text", "schema": {"const": text}}}
        request = body("Say it.", response_format=form, max_tokens=200, logprobs=True)
        choice = post(client, request)["choices"][0]
        assert json.loads(choice["message"]["content"]) == text
        assert any("�" in token["token"] for token in choice["logprobs"]["content"])  # half a character
        choices = streamed(client, request)
        assert json.loads(text_of(choices)) == text
        assert all("�" not in choice["delta"].get("content", "") for choice in choices)

    @pytest.mark.parametrize("stop", ["😀Ω", "à l’été", "🌬", "風"])
    def test_stop_strings_of_such_characters(self, client, stop):
        text = "Où ça? 🌬️ Là-bas, à l’été — 風 😀😀Ω end"
        form = {"type": "json_schema", "json_schema": {"name": "text", "schema": {"const": text}}}
        request = body("Say it.", response_format=form, max_tokens=200, stop=stop)
        expected = f'"{text[: text.index(stop)]}'
        choice = post(client, request)["choices"][0]
        assert choice["message"]["content"] == expected
        assert choice["finish_reason"] == "stop"
        assert text_of(streamed(client, request)) == expected


class TestCounts:
    def test_n_answers_share_their_prompt(self, client):
        one = post(client, body())["usage"]
        three = post(client, body(n=3, temperature=1, random_seed=1, max_tokens=8, min_tokens=8))
        assert [choice["index"] for choice in three["choices"]] == [0, 1, 2]
        assert len({choice["message"]["content"] for choice in three["choices"]}) > 1
        assert three["usage"]["prompt_tokens"] == one["prompt_tokens"]
        assert three["usage"]["completion_tokens"] == 3 * 8

    def test_a_prompt_that_was_answered_is_counted_as_cached(self, client):
        text = "A prompt that nobody has sent before. " * 20
        first, second = (post(client, body(text, max_tokens=2))["usage"] for _ in range(2))
        cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in (first, second)]
        assert cached[0] < cached[1] <= second["prompt_tokens"]
        assert cached[1] > second["prompt_tokens"] // 2
        last = streamed(client, body(text, max_tokens=2))[-1]
        assert last["finish_reason"] == "length"


class TestGaps:
    """Fill-in-the-middle, as editors ask for it."""

    def test_one_line(self, client):
        lines = filled(client, min_tokens=1, max_tokens=64)["message"]["content"]
        assert "\n" in lines
        line = filled(client, min_tokens=1, max_tokens=64, stop="\n")
        assert line["message"]["content"] == lines[: lines.index("\n")]
        assert line["finish_reason"] == "stop"

    def test_several_lines(self, client):
        lines = filled(client, max_tokens=64, min_tokens=64)["message"]["content"]
        count = lines.count("\n")
        assert count > 2
        stop = lines[lines.rindex("\n") :]
        part = filled(client, max_tokens=64, stop=[stop])
        assert part["message"]["content"] == lines[: lines.index(stop)]

    def test_min_tokens_hold_stop_strings_off(self, client):
        whole = post(client, gap(stop="\n", min_tokens=30), "/v1/fim/completions")
        assert whole["usage"]["completion_tokens"] >= 30

    def test_keystrokes_find_the_prefix_cached(self, client):
        before = "".join(f"value_{number} = {number} * {number + 3}\n" for number in range(60))
        typed = [before + "total = value_1"[:length] for length in (8, 11, 15)]
        usages = [
            post(client, gap(prompt=text, prompt_cache_key="typing", max_tokens=4), "/v1/fim/completions")[
                "usage"
            ]
            for text in typed
        ]
        for usage in usages[1:]:
            assert usage["prompt_tokens_details"]["cached_tokens"] > usage["prompt_tokens"] * 0.8

    def test_the_next_keystroke_ends_the_one_before(self, client, server):
        long = gap(prompt_cache_key="editor", max_tokens=4000, min_tokens=4000)
        started, ended = threading.Event(), []

        def keystroke():
            with (
                server.client(timeout=240) as other,
                other.stream("POST", "/v1/fim/completions", json=long | {"stream": True}) as answer,
            ):
                for line in answer.iter_lines():
                    started.set()
                    ended.append(line)

        older = threading.Thread(target=keystroke)
        older.start()
        try:
            assert started.wait(60)
            newer = filled(client, prompt_cache_key="editor", max_tokens=4)
            assert newer["finish_reason"] in {"stop", "length"}
        finally:
            older.join(120)
        last = json.loads([line for line in ended if line][-1].removeprefix("data: "))
        assert last["type"] == "request_superseded"
