"""The processes that a benchmark starts and stops."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
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
async def tramontane(*options: str, cache_dir: Path | None = None) -> AsyncIterator[Server]:
    """Start a server with an empty data folder on a free port; stop it at the end."""
    with socket.socket() as probe, tempfile.TemporaryDirectory() as data_dir:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = os.environ | {"TRAMONTANE_API_KEY": KEY, "TRAMONTANE_DATA_DIR": data_dir}
        if cache_dir is not None:
            environment["TRAMONTANE_CACHE_DIR"] = str(cache_dir)
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "tramontane",
                "serve",
                "--port",
                str(port),
                "--plan",
                "unlimited",
                *options,
            ),
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        base_url = f"http://127.0.0.1:{port}"
        try:
            await _wait_ready(base_url, process)
            yield Server(base_url, process.pid, time.perf_counter() - started)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _wait_ready(base_url: str, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"the server ended with {process.returncode}")
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{base_url}/health/ready")).status_code == 200:
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
