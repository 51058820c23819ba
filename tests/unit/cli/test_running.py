"""Stops of a whole server, with the fake engine."""

import json
import threading
from contextlib import contextmanager

import httpx
import pytest
from pydantic import SecretStr

from tramontane.cli.listening import listening, port_of, reachable_url
from tramontane.cli.running import ServerRun
from tramontane.settings import Settings

pytestmark = pytest.mark.fault

KEY = "a-key-of-the-operator"
ENDLESS = {"model": "fake", "messages": [{"role": "user", "content": "Hello."}], "min_tokens": 1_000_000}
UNAVAILABLE = "service_unavailable"


@contextmanager
def server(tmp_path, **choices):
    """A running server with a slow engine, and a client of it."""
    settings = Settings(
        engine="fake",
        fake_tokens_per_second=50,
        data_dir=tmp_path,
        api_key=SecretStr(KEY),
        port=0,
        plan="unlimited",
        **choices,
    )
    ready = threading.Event()
    with listening("127.0.0.1", 0) as sockets:
        run = ServerRun(settings, [], sockets, lambda _: ready.set())
        thread = threading.Thread(target=run.run)
        thread.start()
        assert ready.wait(60)
        url = reachable_url("127.0.0.1", port_of(sockets))
        with httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {KEY}"}, timeout=60, trust_env=False
        ) as client:
            yield run, client
        thread.join(20)
        assert not thread.is_alive()


def test_a_stream_that_outlasts_a_stop_ends_with_an_error_in_the_hosted_shape(tmp_path):
    with (
        server(tmp_path, shutdown_grace=0.2) as (run, client),
        client.stream("POST", "/v1/chat/completions", json=ENDLESS | {"stream": True}) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        run.stop()
        last = [line for line in lines if line][-1]
    assert json.loads(last.removeprefix("data: "))["type"] == UNAVAILABLE


def test_an_answer_that_outlasts_a_stop_is_503_in_the_hosted_shape(tmp_path, caplog):
    with server(tmp_path, shutdown_grace=0.2) as (run, client):
        threading.Timer(0.3, run.stop).start()
        answer = client.post("/v1/chat/completions", json=ENDLESS)
    assert answer.status_code == 503
    assert answer.json()["type"] == UNAVAILABLE
    assert not [record for record in caplog.records if record.exc_info]


def test_a_short_answer_outlives_a_stop(tmp_path):
    with (
        server(tmp_path) as (run, client),
        client.stream(
            "POST", "/v1/chat/completions", json=ENDLESS | {"stream": True, "min_tokens": 9, "max_tokens": 9}
        ) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        run.stop()
        assert [line for line in lines if line][-1] == "data: [DONE]"


def test_a_second_stop_does_not_wait(tmp_path):
    with server(tmp_path) as (run, client):
        for delay in (0.3, 0.4):
            threading.Timer(delay, run.stop).start()
        assert client.post("/v1/chat/completions", json=ENDLESS).status_code == 503


def test_a_server_that_stops_is_not_ready_refuses_new_requests_and_ends_what_runs(tmp_path):
    short = ENDLESS | {"stream": True, "min_tokens": 60, "max_tokens": 60}
    with (
        server(tmp_path) as (run, client),
        client.stream("POST", "/v1/chat/completions", json=short) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        run.stop()
        ready = wait_for(client, "/health/ready", 503)
        refused = client.post("/v1/chat/completions", json=short)
        alive = client.get("/health/live")
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert ready.json() == {"status": "stopping"}
    assert refused.status_code == 503
    assert refused.json()["message"] == "The server is stopping."
    assert refused.headers["connection"] == "close"
    assert refused.headers["retry-after"]
    assert alive.status_code == 200


def test_requests_are_taken_until_balancers_have_noticed(tmp_path):
    short = ENDLESS | {"min_tokens": 5, "max_tokens": 5}
    with server(tmp_path, shutdown_delay=1.5) as (run, client):
        run.stop()
        wait_for(client, "/health/ready", 503)
        answer = client.post("/v1/chat/completions", json=short)
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"


def wait_for(client, path, status):
    """What `path` answers once it has `status`: a stop is heard by the server's thread in its own time."""
    while (answer := client.get(path)).status_code != status:
        pass
    return answer
