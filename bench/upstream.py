"""`make bench-upstream`: a server with the model of another server, beside a bare reverse proxy before it.

Both have one and the same core, in turn, and client and stub another. The reverse proxy (nginx) hands bytes
on; ours reads requests and answers, counts, and keeps keys, limits and the ledger. So the ratio is the price
of all that, and what is left of it is the room for improvement.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import uvloop

from bench.document import write_part
from bench.load import Ask, press
from bench.page import processor
from bench.servers import KEY, Server, free_port, running, tramontane
from bench.side import Side
from tramontane import __version__

LONG: Final = 1000
SHORT: Final = 5
"""Frames of an answer."""
PATH: Final = "/v1/chat/completions"
_NGINX: Final = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  proxy_buffering off;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  upstream short {{ server 127.0.0.1:{short}; keepalive 64; keepalive_requests 1000000000; }}
  upstream long {{ server 127.0.0.1:{long}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://short; }} }}
  server {{ listen 127.0.0.1:{second}; location / {{ proxy_pass http://long; }} }}
}}
"""
_CONFIG: Final = """\
log_level = "warning"
[[models]]
id = "short"
aliases = []
[models.upstream]
urls = ["http://127.0.0.1:{short}/v1"]
[[models]]
id = "long"
aliases = []
[models.upstream]
urls = ["http://127.0.0.1:{long}/v1"]
"""


@dataclass(slots=True)
class Figures:
    """A value a round. Rates are for a second of the server's CPU time, latencies are seconds."""

    answers: list[float] = field(default_factory=list)
    chunks: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)


async def measure(rounds: int, seconds: float) -> dict[str, Figures]:
    """Of each side."""
    cores = sorted(os.sched_getaffinity(0))
    server_core, client_core = cores[0], cores[-1]
    os.sched_setaffinity(0, {client_core})
    figures: dict[str, Figures] = {}
    async with contextlib.AsyncExitStack() as stack:
        stubs = [await stack.enter_async_context(_stub(frames, client_core)) for frames in (SHORT, LONG)]
        sides = [_direct(stubs)]
        if shutil.which("nginx"):
            sides.append(await stack.enter_async_context(_nginx(stubs, server_core)))
        sides.append(await stack.enter_async_context(_tramontane(stubs, server_core)))
        for side in sides:
            await press(side.short, 16, seconds)  # warm
            await press(side.long, 1, 0)
        for _ in range(rounds):
            for side in sides:
                await _round(side, figures.setdefault(side.name, Figures()), seconds)
    return figures


async def _round(side: Side, figures: Figures, seconds: float) -> None:
    figures.latency.append((await press(side.short, 1, seconds)).p50)
    load, cpu = await side.press(side.short, 16, seconds)
    figures.answers.append(load.answers / max(cpu, 1e-3))
    load, cpu = await side.press(side.long, 16, seconds)
    if load.frames < load.answers * LONG:
        raise RuntimeError(f"{side.name} left out {load.answers * LONG - load.frames} chunks")
    figures.chunks.append(load.frames / max(cpu, 1e-3))


@contextlib.asynccontextmanager
async def _stub(frames: int, core: int) -> AsyncIterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "bench.stub", str(port), str(frames)]
    async with running(command, f"http://127.0.0.1:{port}", "/", core=core) as server:
        yield server


@contextlib.asynccontextmanager
async def _nginx(stubs: Sequence[Server], core: int) -> AsyncIterator[Side]:
    short, long = stubs
    with tempfile.TemporaryDirectory() as folder:
        port, second = free_port(), free_port()
        config = Path(folder) / "nginx.conf"
        config.write_text(
            _NGINX.format(folder=folder, port=port, second=second, short=_port(short), long=_port(long))
        )
        command = [str(shutil.which("nginx")), "-p", folder, "-c", str(config)]
        urls = (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{second}")
        async with running(command, urls[0], "/", core=core) as server:
            yield _side("nginx", server.pid, urls)


@contextlib.asynccontextmanager
async def _tramontane(stubs: Sequence[Server], core: int) -> AsyncIterator[Side]:
    short, long = stubs
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "tramontane.toml"
        config.write_text(_CONFIG.format(short=_port(short), long=_port(long)))
        async with tramontane("--config", str(config), core=core) as server:
            yield _side("Tramontane", server.pid, (server.base_url, server.base_url))


def _direct(stubs: Sequence[Server]) -> Side:
    short, long = stubs
    return _side("the stub itself", short.pid, (short.base_url, long.base_url))


def _side(name: str, pid: int, urls: tuple[str, str]) -> Side:
    messages = [{"role": "user", "content": "What is there?"}]
    short = Ask(urls[0], PATH, KEY, {"model": "short", "messages": messages})
    long = Ask(urls[1], PATH, KEY, {"model": "long", "messages": messages, "stream": True})
    return Side(name, pid, short, long)


def _port(server: Server) -> str:
    return server.base_url.rpartition(":")[2]


def render(figures: dict[str, Figures], rounds: int) -> str:
    """In Markdown."""
    direct, *sides = figures.items()
    ours = figures["Tramontane"]
    written = (
        f"Written by `make bench-upstream` on {dt.datetime.now(dt.UTC):%Y-%m-%d}: Tramontane {__version__}, "
        f"{os.cpu_count()} cores ({processor()}). Medians of {rounds} rounds in turn; rates are for a second "
        f"of the server's CPU time."
    )
    lines = [
        written,
        "",
        "| | " + " | ".join(name for name, _ in sides) + " | ratio |",
        "|---|" + "---|" * (len(sides) + 1),
    ]
    base = direct[1]
    rows = [
        ("answers a second, 16 clients", [side.answers for _, side in sides], ours.answers, "{:,.0f}"),
        ("streamed chunks a second, 16 streams", [side.chunks for _, side in sides], ours.chunks, "{:,.0f}"),
        (
            "added to a lone answer, p50",
            [_added(side.latency, base.latency) for _, side in sides],
            _added(ours.latency, base.latency),
            "{:.2f} ms",
        ),
    ]
    for name, values, own, form in rows:
        shown = [form.format(median(one)) for one in values]
        ratio = f"{median(own) / median(values[0]):.3f}" if len(sides) > 1 else ""
        lines.append(f"| {name} | {' | '.join(shown)} | {ratio} |")
    return "\n".join(lines)


def _added(latencies: Sequence[float], direct: Sequence[float]) -> list[float]:
    """Milliseconds above the stub's own."""
    return [1000 * (latency - median(direct)) for latency in latencies]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of A B")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each of the three loads of a round")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        page = render(runner.run(measure(arguments.rounds, arguments.seconds)), arguments.rounds)
    write_part("upstream", page)
    print(page)


if __name__ == "__main__":
    main()
