"""`tramontane chat` in a terminal of its own, and in a pipe."""

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time

import pytest

from tests.support.api_stand_in import DONE

pytestmark = pytest.mark.process

CTRL_C, CTRL_D = b"\x03", b"\x04"


class Terminal:
    """A process whose controlling terminal is ours."""

    def __init__(self, *command, env=None):
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"TERM": "dumb", "INPUTRC": "/dev/null"} | (env or {}),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing else does it
        )
        os.close(slave)
        self.seen = ""
        self._expected = 0

    def type(self, keys):
        os.write(self._master, keys)

    def expect(self, text, timeout=60):
        """Wait until `text` is shown, after what was expected before."""
        deadline = time.monotonic() + timeout
        while text not in self.seen[self._expected :]:
            if not select.select([self._master], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"{text!r} is not in {self.seen!r}")
            self.seen += os.read(self._master, 4096).decode(errors="replace")
        self._expected = self.seen.index(text, self._expected) + len(text)

    def leave(self, keys):
        """Type `keys` until the process ends, as people do: a signal just before `input` waits is lost."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self.type(keys)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(timeout=2)
        raise AssertionError(f"still there: {self.seen!r}")

    def close(self):
        os.close(self._master)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def terminal(stand_in):
    terminal = Terminal(
        sys.executable,
        *("-m", "tramontane", "chat", "--base-url", stand_in.base_url),
        env={"TRAMONTANE_API_KEY": stand_in.key},
    )
    yield terminal
    terminal.close()


@pytest.fixture
def private_chat(tmp_path):
    terminal = Terminal(
        sys.executable, "-m", "tests.support.fake_bootstrap", "chat", env={"TMPDIR": str(tmp_path)}
    )
    yield terminal
    terminal.close()


def test_ctrl_c_stops_an_answer_and_the_conversation_goes_on(terminal, stand_in):
    stand_in.answer = [part for number in range(1000) for part in (f"word{number} ", 0.02)]
    terminal.expect("first-chat at")
    terminal.expect("> ")
    terminal.type(b"Tell me a story\r")
    terminal.expect("word3 ")
    terminal.type(CTRL_C)
    terminal.expect("> ")
    assert stand_in.client_left.wait(60)

    stand_in.answer = ["Goodbye", DONE]
    terminal.type(b"Stop\r")
    terminal.expect("Goodbye")
    asked, partial, again = stand_in.requests[1]["messages"]
    assert (asked["content"], again["content"]) == ("Tell me a story", "Stop")
    assert partial["role"] == "assistant"
    assert partial["content"].startswith("word0 word1 word2 word3 ")
    assert "Traceback" not in terminal.seen


@pytest.mark.parametrize("keys", [CTRL_C, CTRL_D, b"/exit\r"])
def test_leaving_at_the_prompt_is_no_failure(terminal, keys):
    terminal.expect("> ")

    assert terminal.leave(keys) == 0
    assert "Traceback" not in terminal.seen


def test_a_private_server_lives_as_long_as_the_chat(private_chat, tmp_path):
    terminal = private_chat
    terminal.expect("Starting a server")
    terminal.expect("tiny-chat at http://127.0.0.1:")
    terminal.expect("> ")
    terminal.type(b"endless\r")
    terminal.expect("endless 5")
    terminal.type(CTRL_C)
    terminal.expect("> ")
    terminal.type(b"hello\r")
    terminal.expect("hello 2")
    terminal.expect("> ")

    assert terminal.leave(CTRL_D) == 0
    terminal.expect("closed")
    assert list(tmp_path.iterdir()) == []


def chat(*arguments, lines="Hi\n", **env):
    return subprocess.run(
        [sys.executable, "-m", "tramontane", "chat", *arguments],
        input=lines,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_pipe_gets_the_answer_and_nothing_else(stand_in):
    stand_in.answer = ["Hello", " there", DONE]
    done = chat("--base-url", stand_in.base_url, "--system", "Be brief.", TRAMONTANE_API_KEY=stand_in.key)

    assert (done.stdout, done.stderr, done.returncode) == ("Hello there\n", "", 0)
    assert [message["role"] for message in stand_in.requests[0]["messages"]] == ["system", "user"]


def test_a_server_at_the_configured_port_is_talked_to_when_there_is_a_key(stand_in):
    stand_in.answer = ["Hello", DONE]
    done = chat(TRAMONTANE_API_KEY=stand_in.key, TRAMONTANE_PORT=str(stand_in.port))

    assert (done.stdout, done.stderr) == ("Hello\n", "")


def test_a_server_that_refuses_is_one_line_and_a_failure(stand_in):
    done = chat("--base-url", stand_in.base_url, TRAMONTANE_API_KEY="a-wrong-key")

    assert done.returncode == 1
    assert done.stderr == "tramontane: Invalid API Key (HTTP 401)\n"
