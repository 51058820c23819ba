"""Clients that leave and workers that die, on the real engine."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.support.server import running_server

pytestmark = [pytest.mark.e2e, pytest.mark.fault]

STORY = {
    "model": "mistral-large-latest",
    "messages": [{"role": "user", "content": "Tell me a very long story about the sea."}],
    "temperature": 1.0,
    "min_tokens": 8000,
    "max_tokens": 8000,
}
SHORT = {
    "model": "mistral-large-latest",
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 5,
}


@pytest.fixture(scope="module")
def narrow_server(tmp_path_factory, builtin_cache_dir):
    """A server with a single slot, so that one answer that is not stopped keeps all others waiting."""
    with running_server(tmp_path_factory.mktemp("narrow"), builtin_cache_dir, "--slots", "1") as running:
        yield running


def frames(lines):
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole answer"])
def test_a_client_that_leaves_frees_its_slot(narrow_server, stream):
    host, port = narrow_server.base_url.removeprefix("http://").split(":")
    body = json.dumps(STORY | {"stream": stream}).encode()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
            + f"Authorization: Bearer {narrow_server.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        if stream:
            connection.recv(4096)
        else:
            time.sleep(0.5)

    # The story would hold the only slot for minutes.
    with narrow_server.client(timeout=60) as client:
        assert client.post("/v1/chat/completions", json=SHORT).status_code == 200


def test_a_killed_worker_ends_its_stream_with_an_error_and_the_next_request_is_served(narrow_server):
    seen = threading.Event()
    lines = []

    def read():
        with (
            narrow_server.client() as client,
            client.stream("POST", "/v1/chat/completions", json=STORY | {"stream": True}) as response,
        ):
            for line in response.iter_lines():
                lines.append(line)
                if len(lines) > 10:
                    seen.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert seen.wait(60)
    before = narrow_server.children()
    for pid, _ in before:
        os.kill(pid, signal.SIGKILL)
    reader.join(timeout=60)
    assert not reader.is_alive()

    last = frames(lines)[-1]
    assert last["object"] == "error"
    assert last["type"] == "internal_server_error"
    assert "data: [DONE]" not in lines
    with narrow_server.client() as client:
        assert client.post("/v1/chat/completions", json=SHORT).status_code == 200
        embedding = client.post("/v1/embeddings", json={"model": "mistral-embed", "input": "still here"})
        assert embedding.status_code == 200
    assert {pid for pid, _ in narrow_server.children()}.isdisjoint(pid for pid, _ in before)


def test_a_killed_server_leaves_no_worker(tmp_path, builtin_cache_dir):
    with running_server(tmp_path, builtin_cache_dir) as server:
        workers = [pid for pid, _ in server.children()]
        server.process.kill()
        server.process.wait()
        deadline = time.monotonic() + 60
        while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not [pid for pid in workers if alive(pid)]


def test_readiness_tells_when_no_answer_can_be_given(tmp_path, builtin_cache_dir):
    with running_server(tmp_path, builtin_cache_dir) as server:
        for pid, _ in server.children():
            os.kill(pid, signal.SIGKILL)
        statuses = set()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and statuses != {200, 503}:
            statuses.add(httpx.get(f"{server.base_url}/health/ready", trust_env=False).status_code)
        assert statuses == {200, 503}
        server.wait_ready()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
