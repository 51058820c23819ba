"""More than the server can do, on a real one with the fake engine: one slot, one place to wait."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.support.server import running_server
from tests.support.waiting import eventually_now

pytestmark = [pytest.mark.process, pytest.mark.fault]

SAYS = {
    "rules": [{"match": "thinks", "answer": "late", "delay": 60}, {"match": "long", "answer": "word " * 400}]
}
OPTIONS = ["--engine", "fake", "--slots", "1", "--max-queue", "1", "--fake-tokens-per-second", "200"]


def chat(text, **fields):
    return {"model": "mistral-small-latest", "messages": [{"role": "user", "content": text}], **fields}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overload")
    (folder / "script.json").write_text(json.dumps(SAYS))
    deadlines = ["--first-token-timeout", "4", "--request-timeout", "5"]
    script = ["--fake-script", str(folder / "script.json")]
    with running_server(folder / "data", folder / "cache", *OPTIONS, *deadlines, *script) as running:
        yield running


@contextmanager
def stream(server, body):
    with server.client() as client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
        yield answer


def frames(answer):
    return [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {")]


def metric(server, name):
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"tramontane_{name}"))


def test_one_too_many_is_told_so_at_once(server):
    """While one runs and one waits, for as long as they may."""
    with server.client() as client, ThreadPoolExecutor(2) as pool:
        late = [pool.submit(client.post, "/v1/chat/completions", json=chat("thinks")) for _ in range(2)]
        eventually_now(lambda: metric(server, "waiting{") == 1)
        refused = client.post("/v1/chat/completions", json=chat("Hi"))
        assert not any(one.done() for one in late)
    assert refused.status_code == 429
    assert refused.json()["type"] == "service_tier_capacity_exceeded"
    assert refused.json()["code"] == "3505"
    assert refused.headers["retry-after"] == "1"
    assert [one.result().status_code for one in late] == [504, 504]


@pytest.mark.parametrize("streams", [False, True])
def test_a_first_token_that_does_not_come_is_a_504_and_frees_its_slot(server, streams):
    with server.client() as client:
        late = client.post("/v1/chat/completions", json=chat("thinks", stream=streams))
        assert late.status_code == 504
        assert late.json()["type"] == "request_timeout"
        assert "first token" in late.json()["message"]
        assert client.post("/v1/chat/completions", json=chat("Hi")).status_code == 200


def test_a_stream_that_takes_too_long_ends_with_an_error_and_is_on_the_ledger(server):
    before = metric(server, "ledger_rows_total")
    with stream(server, chat("long", stream=True, max_tokens=2000, min_tokens=2000)) as answer:
        last = frames(answer)[-1]
    assert last["type"] == "request_timeout"
    assert "whole answer" in last["error"]["message"]
    eventually_now(lambda: metric(server, "ledger_rows_total") > before)
    assert metric(server, "running{") == 0
