"""A Redis of a test's own, to be killed."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest
import redis

from tests.support.waiting import PATIENCE


class OwnRedis:
    """A server on a free port, without persistence. `start` again after `kill` takes the same port."""

    def __init__(self, folder):
        self._folder = folder
        self._process = None
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}"

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert self._process.poll() is None, "redis-server has ended"
                    assert time.monotonic() < deadline, "redis-server does not answer"
                    time.sleep(0.02)
                else:
                    return

    def client(self):
        return redis.Redis(port=self.port)

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def freeze(self):
        """It takes connections, and says nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)


def _free_port():
    """Below those that the system gives to outgoing connections, so that it stays free between two starts."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def own_redis(folder):
    """Skips the test where no redis-server is installed."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server is installed here")
    return OwnRedis(folder)
