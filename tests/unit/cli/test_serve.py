"""`tramontane serve` as a process, with a fake in the place of everything behind it."""

import os
import re
import signal
import subprocess
import sys
import threading

import httpx
import pytest

from tests.support.fake_bootstrap import NEW_KEY
from tramontane.cli.listening import listening, port_of

pytestmark = pytest.mark.process


class Process:
    def __init__(self, *options, **env):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fake_bootstrap", "serve", "--port", "0", *options],
            env=os.environ | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out = ""

    def wait_until_ready(self):
        while not self.out.endswith("Ctrl-C stops the server.\n"):
            line = self._process.stdout.readline()
            assert line, self._process.stderr.read()
            self.out += line
        return re.search(r"(http://\S+)/v1\n", self.out)[1]

    def wait_for_error_line(self):
        return self._process.stderr.readline()

    def signal(self, number):
        self._process.send_signal(number)

    def end(self):
        out, err = self._process.communicate(timeout=60)
        self.out += out
        return self._process.returncode, err

    def kill(self):
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start():
    started = []

    def start(*options, **env):
        started.append(Process(*options, **env))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_says_so_and_closes_everything_when_it_is_stopped(start, number):
    process = start()
    url = process.wait_until_ready()
    answer = httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {NEW_KEY}"}, trust_env=False)
    process.signal(number)

    assert answer.status_code == 200
    assert "server" not in answer.headers
    assert f"Bearer {NEW_KEY}" in process.out
    assert process.end() == (0, "closed\n")


def test_the_banner_is_all_that_goes_to_standard_output(start):
    process = start("--host", "0.0.0.0", "--log-level", "debug", FAKE_PREPARATION="works")
    process.wait_until_ready()
    process.signal(signal.SIGTERM)
    code, err = process.end()

    assert code == 0
    assert process.out.startswith("Tramontane ")
    assert "Fetching tiny-chat: 50 % of 100.0 MB" in err
    assert "0.0.0.0 can be reached from other machines, and traffic is not encrypted" in err


def test_the_operators_key_is_not_shown(start):
    process = start(TRAMONTANE_API_KEY="chosen-by-the-operator")
    process.wait_until_ready()
    process.signal(signal.SIGTERM)
    _, err = process.end()

    assert "chosen-by-the-operator" not in process.out + err


def test_a_stop_ends_streams_after_a_while_and_a_second_one_at_once(start):
    process = start()
    url = process.wait_until_ready()
    streaming, left = threading.Event(), threading.Event()

    def read():
        body = {"messages": [{"role": "user", "content": "endless"}]}
        try:
            with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, trust_env=False) as response:
                for _ in response.iter_bytes():
                    streaming.set()
        except httpx.HTTPError:
            left.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert streaming.wait(60)
    process.signal(signal.SIGINT)
    assert not left.wait(0.5)
    process.signal(signal.SIGINT)
    reader.join(timeout=60)

    assert left.is_set()
    assert process.end()[0] == 0


def test_a_port_in_use_is_told_before_any_slow_work(start):
    with listening("127.0.0.1", 0) as sockets:
        port = port_of(sockets)
        code, err = start("--port", str(port), FAKE_PREPARATION="hangs").end()

    assert code == 2
    assert err.startswith(f"tramontane: Port {port} on 127.0.0.1 is in use")
    assert err.count("\n") == 1


def test_a_model_that_cannot_be_had_is_one_line(start):
    code, err = start(FAKE_PREPARATION="fails").end()

    assert (code, err) == (3, "tramontane: tiny-chat cannot be fetched: no network\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_while_models_are_prepared(start, number):
    process = start(FAKE_PREPARATION="hangs")
    assert process.wait_for_error_line() == "Looking up tiny-chat\n"
    process.signal(number)
    code, err = process.end()

    assert code == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_closes_what_it_opened_when_it_is_stopped_before_it_is_ready(start, number):
    process = start(FAKE_START="hangs", FAKE_PREPARATION="works")
    while "Converting" not in process.wait_for_error_line():
        pass
    process.signal(number)
    code, err = process.end()

    assert code == 130
    assert "Traceback" not in err
