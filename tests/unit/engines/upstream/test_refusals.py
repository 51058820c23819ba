import json

import pytest

from tramontane.engines.upstream.failures import BusyError, MisconfiguredError, ReplicaError
from tramontane.engines.upstream.refusals import refusal
from tramontane.errors import ContextLengthError, UpstreamRefusalError


def refused(status, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refusal(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


@pytest.mark.parametrize(
    "body",
    [
        {"object": "error", "message": "the words", "type": "x", "code": "3051"},
        {"error": {"message": "the words", "type": "invalid_request_error"}},
        {"detail": "the words"},
        {"detail": [{"loc": ["body", "x"], "msg": "the words", "type": "extra_forbidden"}]},
        {"message": {"detail": [{"msg": "the words"}]}},
        {"error": "the words"},
    ],
)
def test_the_words_of_the_server_reach_the_client_whatever_their_shape(body):
    error = refused(422, body)

    assert isinstance(error, UpstreamRefusalError)
    assert (error.status, error.message) == (400, "the words")


def test_a_refusal_without_words_says_that_it_has_none():
    assert "does not say why" in refused(400, b"<html>").message


@pytest.mark.parametrize(
    "message",
    [
        "Prompt contains 9000 tokens, too large for model with 4096 maximum context length",
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens.",
        "This model's maximum context length is 4096 tokens. You requested 9100 (9000 in the messages).",
        "This model's maximum context length is 4096 tokens. However, your request has 9000 input tokens.",
        "The decoder prompt (length of 9000 tokens) is longer than the maximum model length of 4096.",
        "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it",
    ],
)
def test_a_prompt_that_is_too_long_is_refused_in_the_hosted_words(message):
    error = refused(400, {"error": {"message": message}})

    assert isinstance(error, ContextLengthError)
    assert "9000 tokens" in error.message
    assert "too large for model with 4096 maximum context length" in error.message


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_only_the_operator_can_mend_is_no_fault_of_the_client(status):
    assert isinstance(refused(status, {"detail": "Invalid API Key"}), MisconfiguredError)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("0.5", 0.5), ("Wed, 21 Oct 2026", 1), ("1e9", 60)]
)
def test_a_busy_server_says_for_how_long(header, seconds):
    error = refused(429, {}, retry_after=header)

    assert isinstance(error, BusyError)
    assert error.retry_after == seconds


@pytest.mark.parametrize("status", [301, 408, 500, 502, 503, 529])
def test_everything_else_is_the_fault_of_the_server(status):
    error = refused(status, b"upstream connect error")

    assert type(error) is ReplicaError


def test_a_hosted_refusal_keeps_its_type_and_code():
    body = {"object": "error", "message": "top_p must be 1", "type": "invalid_sampling", "code": "3054"}

    error = refused(400, body)

    assert error.body() | body == error.body()


def test_a_model_that_the_server_does_not_know_is_ours_to_mend():
    body = {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"}

    assert isinstance(refused(400, body), MisconfiguredError)
