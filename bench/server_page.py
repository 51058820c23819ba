"""The server's part of docs/performance.md."""

import datetime as dt
import os
import platform
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from bench.page import processor
from tramontane import __version__

if TYPE_CHECKING:
    from bench.server import Figures, Report

_PAGE = """\
Written by `make bench-server` on {date}: Tramontane {version}, {cores} cores ({processor}), Python {python}.
Medians of {rounds} rounds in turn; a ratio with its least and greatest round. Rates are for a second of
the server's CPU time, as much as a core of its own gives it in a second of the clock; latencies are the
client's and suffer from whatever else runs on the machine.

{table}

What is added to a lone request is its whole latency here, since the engine takes no time{upstream}.

| | |
|---|---|
{facts}
"""
_MILLISECONDS = 1000


def render(report: "Report") -> str:
    """In Markdown."""
    return _PAGE.format(
        date=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        version=__version__,
        cores=os.cpu_count(),
        processor=processor(),
        python=platform.python_version(),
        rounds=report.rounds,
        table=_table(report),
        upstream=f", and {_ms(report.upstream_p50)} of LiteLLM's is the stub" if report.upstream_p50 else "",
        facts="\n".join(f"| {name} | {value} |" for name, value in _facts(report)),
    )


def _table(report: "Report") -> str:
    ours, *peers = report.sides.values()
    head = ["", *report.sides, *(f"ratio to {name}" for name in list(report.sides)[1:])]
    lines = [head, ["---"] * len(head)]
    rows: list[tuple[str, Callable[[Figures], Sequence[float]], Callable[[float], str], bool]] = [
        ("answers a second, 16 clients", lambda side: side.requests, _count, True),
        ("streamed chunks a second, 16 streams", lambda side: side.chunks, _count, True),
        ("latency of a lone client, p50", lambda side: side.alone_p50, _ms, False),
        ("latency of a lone client, p99", lambda side: side.alone_p99, _ms, False),
        ("latency at 16 clients, p50", lambda side: side.beside_p50, _ms, False),
        ("latency at 16 clients, p99", lambda side: side.beside_p99, _ms, False),
        ("by the clock: answers a second", lambda side: side.requests_by_the_clock, _count, True),
        ("by the clock: chunks a second", lambda side: side.chunks_by_the_clock, _count, True),
    ]
    for name, values, write, more_is_better in rows:
        cells = [write(median(values(side))) for side in report.sides.values()]
        for peer in peers:
            pairs = zip(values(ours), values(peer), strict=True)
            cells.append(_ratio([a / b if more_is_better else b / a for a, b in pairs]))
        lines.append([name, *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _facts(report: "Report") -> list[tuple[str, str]]:
    from bench.server import OPEN_STREAMS  # noqa: PLC0415  it imports this module

    wrk = "not installed here" if report.wrk is None else f"{_count(report.wrk)} / {_count(report.ours)}"
    return [
        ("answers a second by the clock, from `wrk` / from our client right after it", wrk),
        ("`import tramontane.bootstrap`, with the interpreter's start", f"{report.import_seconds:.2f} s"),
        ("start to ready", f"{report.start_seconds:.1f} s"),
        ("the very first request", _ms(report.first_request)),
        ("resident memory, idle", f"{report.megabytes_idle:.0f} MB"),
        (f"resident memory, {OPEN_STREAMS:,} open streams", f"{report.megabytes_open:.0f} MB"),
    ]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _ms(seconds: float) -> str:
    return f"{seconds * _MILLISECONDS:.2f} ms"


def _ratio(values: Sequence[float]) -> str:
    return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
