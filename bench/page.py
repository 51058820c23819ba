"""`docs/performance.md`, from what was measured."""

import datetime as dt
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.keystrokes import CHATS, Keystrokes
from bench.streams import TOKENS, Comparison
from tramontane import __version__

_HEAD = """\
Written by `make bench` on {date}: Tramontane {version}, {cores} cores ({processor}), Python {python},
the built-in models. Ratios count; absolute figures are of one machine on one day.

"""

_INFERENCE = """\
## Streams over HTTP beside the bare engine loop

The same converted model and prompts of the same shape, first through the server (chat completions,
streamed), then in a loop of the engine library's own with nothing around it, in turn. Every stream generates
exactly {tokens} tokens; {rounds} rounds after one that is not counted; tokens a second include the time to
the first token.

| streams | served, tokens/s | bare loop, tokens/s | ratio, median (min to max) | first token, median |
|---|---|---|---|---|
{comparisons}

## Time to first token

A lone request with a prompt that no cache knows.

| prompt tokens | median |
|---|---|
{first_tokens}

## Keystrokes

Fill-in-the-middle at every keystroke, as editors ask: a prompt of {keystroke_tokens:,} tokens that grows
by a letter, with one `prompt_cache_key`. First token from the second keystroke on, alone and beside {chats}
chats that answer without a pause.

| alone, median | beside the chats, median | ratio |
|---|---|---|
| {keystroke_alone:.0f} ms | {keystroke_beside:.0f} ms | {keystroke_ratio:.1f} |

## Start and memory

| | |
|---|---|
| start to ready, converted models in place | {warm:.1f} s |
| start to ready, models fetched but not converted | {cold:.1f} s |
{memory}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured."""

    rounds: int
    comparisons: Sequence[Comparison]
    first_tokens: Sequence[tuple[int, float]]
    """Prompt tokens, seconds."""
    keystrokes: Keystrokes
    warm_start: float
    cold_start: float
    idle: dict[str, float]
    """MB by process, before any request."""
    busy: dict[str, float]
    """MB by process, after all requests."""


def render(sections: Sequence[str]) -> str:
    """The page in Markdown."""
    head = _HEAD.format(
        date=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        version=__version__,
        cores=os.cpu_count(),
        processor=processor(),
        python=platform.python_version(),
    )
    return head + "\n".join(sections)


def inference_sections(figures: Figures) -> str:
    """Streams, first tokens, keystrokes, start and memory."""
    return _INFERENCE.format(
        tokens=TOKENS,
        rounds=figures.rounds,
        comparisons="\n".join(map(_row, figures.comparisons)),
        first_tokens="\n".join(
            f"| {tokens:,} | {seconds * 1000:.0f} ms |" for tokens, seconds in figures.first_tokens
        ),
        chats=CHATS,
        keystroke_tokens=figures.keystrokes.prompt_tokens,
        keystroke_alone=statistics.median(figures.keystrokes.alone) * 1000,
        keystroke_beside=statistics.median(figures.keystrokes.beside_chat) * 1000,
        keystroke_ratio=figures.keystrokes.ratio,
        warm=figures.warm_start,
        cold=figures.cold_start,
        memory="\n".join(
            f"| resident memory, {name}, idle / after the runs | {idle:.0f} / {figures.busy[name]:.0f} MB |"
            for name, idle in figures.idle.items()
        ),
    )


def _row(comparison: Comparison) -> str:
    ratios = comparison.ratios
    return (
        f"| {comparison.streams} | {statistics.median(comparison.served):.0f} "
        f"| {statistics.median(comparison.bare):.0f} "
        f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) "
        f"| {statistics.median(comparison.first_token) * 1000:.0f} ms |"
    )


def processor() -> str:
    """What the machine calls its own."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
