"""The processes that a benchmark starts and stops."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from bench.lines import Lines, lines

KEY = "bench-key-of-the-operator"


@dataclass(frozen=True, slots=True)
class Server:
    """A running `tramontane serve`."""

    base_url: str
    pid: int
    start_seconds: float
    """From the command to the first ready answer."""


@contextlib.asynccontextmanager
async def tramontane(
    *options: str,
    cache_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
    core: int | None = None,
) -> AsyncIterator[Server]:
    """Start a server with an empty data folder on a free port; stop it at the end.

    Args:
        options: of `tramontane serve`.
        cache_dir: of models; the user's own else.
        environment: variables to set.
        core: the only one that it may use.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as data_dir:
        variables = {"TRAMONTANE_API_KEY": KEY, "TRAMONTANE_PLAN": "unlimited"} | dict(environment or {})
        variables["TRAMONTANE_DATA_DIR"] = data_dir
        if cache_dir is not None:
            variables["TRAMONTANE_CACHE_DIR"] = str(cache_dir)
        command = [sys.executable, "-m", "tramontane", "serve", "--port", str(port), *options]
        async with running(command, f"http://127.0.0.1:{port}", "/health/ready", variables, core) as server:
            yield server


@contextlib.asynccontextmanager
async def running(
    command: Sequence[str],
    base_url: str,
    ready: str,
    environment: Mapping[str, str] | None = None,
    core: int | None = None,
) -> AsyncIterator[Server]:
    """Start a server and wait until its path `ready` is 200; stop it at the end."""
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command,
        env=os.environ | dict(environment or {}),
        stdout=subprocess.DEVNULL,
        preexec_fn=None if core is None else partial(os.sched_setaffinity, 0, {core}),
    )
    try:
        await _wait_ready(f"{base_url}{ready}", process)
        yield Server(base_url, process.pid, time.perf_counter() - started)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _wait_ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"the server ended with {process.returncode}")
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class BareLoop:
    """`bench.bare_loop` in a process of its own."""

    process: Lines

    async def run(self, prompts: Sequence[Sequence[int]], tokens: int) -> dict[str, float]:
        """Continue all prompts side by side by exactly `tokens` tokens."""
        request = {"prompts": [list(prompt) for prompt in prompts], "tokens": tokens}
        answer: dict[str, float] = await self.process.ask(request)
        return answer


@contextlib.asynccontextmanager
async def bare_loop(artifact: Path, kv_cache_tokens: int) -> AsyncIterator[BareLoop]:
    """The engine library's own loop over the same converted model."""
    command = (sys.executable, "-m", "bench.bare_loop", str(artifact), str(kv_cache_tokens))
    async with lines(*command) as process:
        yield BareLoop(process)


def cpu_seconds(pid: int) -> float:
    """CPU time of one process so far, its own and the kernel's for it, to a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> dict[str, float]:
    """Resident memory of a server and of each of its workers, in MB."""
    found = {"server": _resident(pid)}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(status.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found[f"worker {len(found)}"] = _resident(int(status.parent.name))
    return found


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
