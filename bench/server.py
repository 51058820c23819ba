"""`make bench-server`: what the server costs without a model, beside a proxy that people use instead.

The fake engine answers as fast as the event loop goes round; keys, limits and the ledger are on as ever.
LiteLLM's proxy has a stub behind it that answers at once. Both servers have one and the same core, in turn,
and the client another. Rates are for a second of the server's CPU time: a server of one process that has a
core to itself does as much in a second of the clock, whatever else goes on beside it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
import uvloop

from bench.document import write_part
from bench.load import Ask, held, press
from bench.server_page import render
from bench.servers import Server, free_port, resident_megabytes, running, tramontane
from bench.side import Side
from bench.stub import words

ADMIN_KEY: Final = "bench-admin-key-of-the-operator"
PEER_KEY: Final = "sk-bench-master"
FRAMES: Final = 1000
"""Of each streamed answer."""
OPEN_STREAMS: Final = 2000
PATH: Final = "/v1/chat/completions"
PEERS: Final = Path(".venv-peers/bin/litellm")
_POST: Final = """\
wrk.method = "POST"
wrk.body = [[{body}]]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
"""


@dataclass(slots=True)
class Figures:
    """Of one side, a value a round. Rates are for a second of the server's CPU time, times in seconds."""

    requests: list[float] = field(default_factory=list)
    requests_by_the_clock: list[float] = field(default_factory=list)
    chunks: list[float] = field(default_factory=list)
    chunks_by_the_clock: list[float] = field(default_factory=list)
    alone_p50: list[float] = field(default_factory=list)
    alone_p99: list[float] = field(default_factory=list)
    beside_p50: list[float] = field(default_factory=list)
    beside_p99: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """Everything on the page."""

    rounds: int
    sides: dict[str, Figures] = field(default_factory=dict)
    upstream_p50: float = 0.0
    """What the stub alone takes to answer, which is in the peer's latency and no part of what it adds."""
    wrk: float | None = None
    """Answers a second by the clock, from `wrk`; None if it is not there."""
    ours: float = 0.0
    """The same from our own client, right after it."""
    import_seconds: float = 0.0
    start_seconds: float = 0.0
    first_request: float = 0.0
    megabytes_idle: float = 0.0
    megabytes_open: float = 0.0


async def measure(rounds: int, seconds: float) -> Report:
    """All of it, in a few minutes."""
    server_core, client_core = _cores()
    os.sched_setaffinity(0, {client_core})
    report = Report(rounds, import_seconds=_import_seconds())
    async with contextlib.AsyncExitStack() as stack:
        ours, server = await stack.enter_async_context(_tramontane(server_core))
        report.start_seconds = server.start_seconds
        report.first_request = (await press(ours.short, 1, 0)).p50
        sides = [ours]
        if PEERS.exists():
            peer, stub = await stack.enter_async_context(_litellm(server_core))
            sides.append(peer)
            report.upstream_p50 = (await press(stub, 1, seconds)).p50
        for side in sides:
            await press(side.short, 16, seconds)  # warm
            await press(side.long, 1, 0)
        for _ in range(rounds):
            for side in sides:
                await _round(side, report.sides.setdefault(side.name, Figures()), seconds)
        report.wrk = await _wrk(ours.short, seconds, client_core)
        report.ours = (await press(ours.short, 16, seconds)).rate
    await _open_streams(server_core, report)
    return report


async def _round(side: Side, figures: Figures, seconds: float) -> None:
    load, _ = await side.press(side.short, 1, seconds)
    figures.alone_p50.append(load.p50)
    figures.alone_p99.append(load.p99)
    load, cpu = await side.press(side.short, 16, seconds)
    figures.beside_p50.append(load.p50)
    figures.beside_p99.append(load.p99)
    figures.requests.append(load.answers / cpu)
    figures.requests_by_the_clock.append(load.rate)
    load, cpu = await side.press(side.long, 16, seconds)
    if load.frames < load.answers * FRAMES:
        raise RuntimeError(f"{side.name} left out {load.answers * FRAMES - load.frames} chunks")
    figures.chunks.append(load.frames / cpu)
    figures.chunks_by_the_clock.append(load.frames / load.seconds)


@contextlib.asynccontextmanager
async def _tramontane(core: int, *options: str) -> AsyncIterator[tuple[Side, Server]]:
    """Ours, with a key of the database and limits that are counted and never reached."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.json"
        story = {"match": "story", "answer": "".join(words(FRAMES))}
        script.write_text(json.dumps({"rules": [story, {"answer": "The sea and the wind."}]}))
        server_options = (
            *("--engine", "fake", "--fake-script", str(script), "--log-level", "warning"),
            *("--slots", str(2 * OPEN_STREAMS), *options),
        )
        secrets = {"TRAMONTANE_ADMIN_KEY": ADMIN_KEY}
        async with tramontane(*server_options, environment=secrets, core=core) as server:
            key = await _new_key(server.base_url)
            yield _side("Tramontane", server, key, "mistral-small-latest"), server


async def _new_key(base_url: str) -> str:
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    limits = {"requests_per_minute": 10**9, "burst": 10**9, "tokens_per_minute": 10**12}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as client:
        workspace = (await client.get("/v1/admin/workspaces")).json()["data"][0]["id"]
        changed = await client.patch(f"/v1/admin/workspaces/{workspace}/limits", json=limits)
        changed.raise_for_status()
        made = await client.post("/v1/admin/api-keys", json={"name": "bench", "workspace_id": workspace})
        made.raise_for_status()
        key: str = made.json()["key"]
        return key


@contextlib.asynccontextmanager
async def _litellm(core: int) -> AsyncIterator[tuple[Side, Ask]]:
    """LiteLLM's proxy with a key, one worker and no database; and how to ask what stands behind it."""
    port, stub_port = free_port(), free_port()
    stub = f"http://127.0.0.1:{stub_port}"
    config = {
        "model_list": [
            {
                "model_name": "stub",
                "litellm_params": {"model": "openai/stub", "api_base": f"{stub}/v1", "api_key": "none"},
            }
        ],
        "litellm_settings": {"telemetry": False},
        "general_settings": {"master_key": PEER_KEY},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(json.dumps(config))  # which is YAML too
        command = [
            *(str(PEERS.absolute()), "--config", str(path), "--num_workers", "1"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ]
        quiet = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        behind = [sys.executable, "-m", "bench.stub", str(stub_port), str(FRAMES)]
        async with (
            running(behind, stub, "/"),
            running(command, f"http://127.0.0.1:{port}", "/health/liveliness", quiet, core) as server,
        ):
            side = _side("LiteLLM's proxy", server, PEER_KEY, "stub")
            yield side, Ask(stub, PATH, PEER_KEY, side.short.body)


def _side(name: str, server: Server, key: str, model: str) -> Side:
    def ask(text: str, **more: object) -> Ask:
        return Ask(server.base_url, PATH, key, {"model": model, "messages": [_said(text)]} | more)

    return Side(name, server.pid, ask("What is there?"), ask("Tell me a story", stream=True))


def _said(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


async def _open_streams(core: int, report: Report) -> None:
    """Resident memory of a server of its own, idle and with all streams open."""
    async with _tramontane(core, "--fake-tokens-per-second", "5") as (side, server):
        report.megabytes_idle = resident_megabytes(server.pid)["server"]
        async with held(side.long, OPEN_STREAMS):
            report.megabytes_open = resident_megabytes(server.pid)["server"]


async def _wrk(ask: Ask, seconds: float, core: int) -> float | None:
    """The same question from a tool that others wrote."""
    if shutil.which("wrk") is None:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_POST.format(body=json.dumps(ask.body), key=ask.key))
        script.flush()
        command = ["wrk", "-t1", "-c16", f"-d{max(1, round(seconds))}s", "-s", script.name]
        process = await asyncio.create_subprocess_exec(
            *("taskset", "-c", str(core), *command, f"{ask.base_url}{ask.path}"), stdout=subprocess.PIPE
        )
        said = (await process.communicate())[0].decode()
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None or "Non-2xx" in said:
        raise RuntimeError(said)
    return float(found[1])


def _import_seconds() -> float:
    def one() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import tramontane.bootstrap"], check=True)
        return time.perf_counter() - started

    return median(one() for _ in range(3))


def _cores() -> tuple[int, int]:
    cores: list[Any] = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("The server and its client need a core each, and there is one only.")
    return cores[0], cores[-1]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of A B")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each of the three loads of a round")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        page = render(runner.run(measure(arguments.rounds, arguments.seconds)))
    write_part("server", page)
    print(page)


if __name__ == "__main__":
    main()
