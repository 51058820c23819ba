"""A real `tramontane serve` process for tests."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

KEY = "test-key-of-the-operator"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningServer:
    """A started process: its address, and what it printed so far."""

    process: subprocess.Popen[str]
    base_url: str
    key: str
    output: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def client(self, timeout: float = 60) -> httpx.Client:
        return httpx.Client(base_url=self.base_url, headers=self.headers, timeout=timeout, trust_env=False)

    def said(self) -> str:
        """The end of what it printed."""
        return "".join(self.output + self.errors)[-3000:]

    def children(self) -> list[tuple[int, str]]:
        """Process ids and command lines of the server's own children."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                parent = int(stat.rsplit(")", 1)[1].split()[1])
                if parent == self.process.pid:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append((int(entry.name), command))
        return found

    def wait_ready(self, timeout: float = 180) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"server ended with {self.process.returncode}: {self.said()}")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.base_url}/health/ready", trust_env=False).status_code == 200:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"not ready after {timeout} s: {self.said()}")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


@contextlib.contextmanager
def running_server(
    data_dir: Path,
    cache_dir: Path,
    *options: str,
    key: str | None = KEY,
    wait: bool = True,
    plan: str | None = "unlimited",
    env: dict[str, str] | None = None,
) -> Iterator[RunningServer]:
    """`tramontane serve` on a free port of the loopback address, stopped at the end."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRAMONTANE_")}
    environment |= {"TRAMONTANE_DATA_DIR": str(data_dir), "TRAMONTANE_CACHE_DIR": str(cache_dir)}
    if plan is not None:
        environment["TRAMONTANE_PLAN"] = plan
    if key is not None:
        environment["TRAMONTANE_API_KEY"] = key
    process = subprocess.Popen(
        [sys.executable, "-m", "tramontane", "serve", "--port", str(port), *options],
        env=environment | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = RunningServer(process, f"http://127.0.0.1:{port}", key or "")
    readers = [
        threading.Thread(target=_collect, args=(process.stdout, server.output), daemon=True),
        threading.Thread(target=_collect, args=(process.stderr, server.errors), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        if wait:
            server.wait_ready()
        yield server
    finally:
        server.stop()
        for reader in readers:
            reader.join(timeout=60)
        process.stdout.close()
        process.stderr.close()


def _collect(stream, lines: list[str]) -> None:
    with contextlib.suppress(ValueError):
        lines.extend(iter(stream.readline, ""))


def printed_key(server: RunningServer) -> str:
    """The API key that a first start prints."""
    match = re.search(r"\btm_[0-9A-Za-z]{20,}\b", "".join(server.output))
    assert match, "".join(server.output)
    return match.group()
