"""Chat and completions beside llama.cpp's server: the same GGUF file, prompts and machine, in turn."""

import asyncio
import contextlib
import os
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import StreamResult, stream
from bench.keystrokes import FILE, TYPED
from bench.lines import lines
from bench.plot import ratio_bars
from bench.servers import KEY, tramontane

_ROOT = Path(__file__).parent.parent
_PYTHON = _ROOT / ".venv-llama" / "bin" / "python"
_SLOTS = 64
_CONTEXT = 65_536
_SCHEMA = {
    "type": "object",
    "properties": {
        "points": {
            "type": "array",
            "minItems": 50,
            "items": {
                "type": "object",
                "properties": {"x": {"type": "integer"}, "name": {"type": "string", "maxLength": 8}},
                "required": ["x", "name"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["points"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked of one model."""

    rounds: int
    prompts: Sequence[int]
    """Tokens, about."""
    streams: Sequence[tuple[int, int]]
    """Streams at once, and tokens of each."""
    long_prompt: int


SMALL = Load(2, (16, 512, 4000), ((1, 128), (4, 128), (16, 128), (64, 48)), 6000)
LARGE = Load(1, (16, 512), ((1, 32), (16, 32)), 1500)
"""For a model that answers ten times as slowly."""


@dataclass(slots=True)
class Pair:
    """One figure of both, round by round."""

    name: str
    unit: str
    more_is_better: bool
    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """How many times as good ours is."""
        pairs = list(zip(self.ours, self.peer, strict=True))
        return [ours / peer if self.more_is_better else peer / ours for ours, peer in pairs]


class Contestant:
    """A server, and how it is asked for the same."""

    def __init__(self, base_url: str, *, is_peer: bool) -> None:
        self._base_url = base_url
        # Ours ends no answer before `min_tokens`, llama.cpp's none before `max_tokens` if told so.
        self._is_peer = is_peer

    async def chat(self, text: str, tokens: int, **more: object) -> StreamResult:
        """Stream the answer to one message, of exactly so many tokens."""
        messages = [{"role": "user", "content": text}]
        body: dict[str, object] = {"messages": messages, "temperature": 0, "max_tokens": tokens}
        if not self._is_peer:
            body["repetition_penalty"] = 1
        return await self._stream("/v1/chat/completions", body | more, tokens)

    async def complete(self, prompt: str, tokens: int) -> StreamResult:
        """Continue a file in which somebody types."""
        path = "/v1/completions" if self._is_peer else "/v1/fim/completions"
        return await self._stream(path, {"prompt": prompt, "temperature": 0, "max_tokens": tokens}, tokens)

    async def _stream(self, path: str, body: dict[str, object], tokens: int) -> StreamResult:
        if self._is_peer:
            body |= {"ignore_eos": True, "stream_options": {"include_usage": True}}
        else:
            body |= {"model": "codestral-latest", "min_tokens": tokens}
        return await stream(self._base_url, path, KEY, body)


async def section(title: str, model: str, gguf: Path, load: Load, plot: Path | None = None) -> str:
    """The section of the page, or why there is none.

    Args:
        title: of the section.
        model: the setting of ours that means the file.
        gguf: the file that the peer reads.
        load: how much is asked.
        plot: where a picture of it is put, in `docs/`.
    """
    if peer_python() is None:
        return f"## {title}\n\nNot measured: `make bench` installs what it is measured beside.\n"
    async with _contestants(model, gguf) as (ours, peer, versions):
        pairs = await _measure(ours, peer, load)
    rows = "\n".join(map(_row, pairs))
    text = _SECTION.format(title=title, versions=versions, rounds=load.rounds, rows=rows)
    if plot is None:
        return text
    heading = "How many times as good as llama.cpp's server"
    bars = ratio_bars(heading, [(pair.name, statistics.median(pair.ratios)) for pair in pairs])
    plot.write_text(bars, encoding="utf-8")  # noqa: ASYNC240 - nothing else runs
    return f"{text}\n![{heading}](images/{plot.name})\n"


def peer_python() -> str | None:
    """The interpreter that has llama.cpp's server, if a make target has put one."""
    python = os.environ.get("LLAMA_PYTHON", str(_PYTHON))
    return python if Path(python).exists() else None


@contextlib.asynccontextmanager
async def _contestants(model: str, gguf: Path) -> AsyncIterator[tuple[Contestant, Contestant, str]]:
    command = (
        str(peer_python()),
        str(_ROOT / "bench" / "llama_server.py"),
        str(gguf),
        str(_SLOTS),
        str(_CONTEXT),
    )
    async with (
        tramontane("--model", model, "--slots", str(_SLOTS)) as server,
        lines(*command) as peer,
    ):
        ours = Contestant(server.base_url, is_peer=False)
        theirs = Contestant(peer.hello["base_url"], is_peer=True)
        for contestant in (ours, theirs):
            await contestant.chat("warm", 2)
        yield ours, theirs, peer.hello["versions"]


Measure = Callable[[Contestant, str], Awaitable[float]]


async def _measure(ours: Contestant, peer: Contestant, load: Load) -> list[Pair]:
    cases: list[tuple[Pair, Measure]] = [
        *((_first_token_pair(tokens), _first_token(tokens)) for tokens in load.prompts),
        *((_streams_pair(count), _decode(count, tokens)) for count, tokens in load.streams),
        (
            Pair("second chat with the same 1,000 tokens: first token", "ms", more_is_better=False),
            _shared_prefix,
        ),
        (Pair("JSON schema, 1 stream", "tokens/s", more_is_better=True), _constrained),
        (Pair("keystroke in a file: first token", "ms", more_is_better=False), _keystrokes),
        (
            Pair(f"short prompt behind one of {load.long_prompt:,}: first token", "ms", more_is_better=False),
            _behind(load.long_prompt),
        ),
    ]
    for pair, measure in cases:
        for number in range(load.rounds):
            pair.ours.append(await measure(ours, f"{number} a"))
            pair.peer.append(await measure(peer, f"{number} b"))
    return [pair for pair, _ in cases]


def _first_token_pair(tokens: int) -> Pair:
    return Pair(f"prompt of {tokens:,}: first token", "ms", more_is_better=False)


def _streams_pair(count: int) -> Pair:
    return Pair(f"{count} stream{'s' * (count > 1)}", "tokens/s", more_is_better=True)


def _first_token(tokens: int) -> Measure:
    async def measure(contestant: Contestant, name: str) -> float:
        return (await contestant.chat(_text(tokens, name), 1)).first_token * 1000

    return measure


def _decode(count: int, tokens: int) -> Measure:
    async def measure(contestant: Contestant, name: str) -> float:
        """Tokens a second of all streams together after their first tokens."""
        texts = [f"{name}, story {index}: tell me about the sea." for index in range(count)]
        results = await asyncio.gather(*(contestant.chat(text, tokens) for text in texts))
        return sum((result.completion_tokens - 1) / (result.total - result.first_token) for result in results)

    return measure


async def _shared_prefix(contestant: Contestant, name: str) -> float:
    prefix = _text(1000, f"prefix {name}")
    await contestant.chat(f"{prefix} Say yes.", 1)
    return (await contestant.chat(f"{prefix} Say no.", 1)).first_token * 1000


async def _constrained(contestant: Contestant, name: str) -> float:
    form = {"type": "json_schema", "json_schema": {"name": "points", "schema": _SCHEMA, "strict": True}}
    result = await contestant.chat(f"{name}: points as JSON.", 64, response_format=form)
    return (result.completion_tokens - 1) / (result.total - result.first_token)


async def _keystrokes(contestant: Contestant, name: str) -> float:
    """The median over the keystrokes after the first."""
    seconds = []
    for length in range(1, len(TYPED) + 1, 4):
        result = await contestant.complete(f"# {name}\n{FILE}{TYPED[:length]}", 4)
        seconds.append(result.first_token)
    return statistics.median(seconds[1:]) * 1000


def _behind(tokens: int) -> Measure:
    async def measure(contestant: Contestant, name: str) -> float:
        long = asyncio.create_task(contestant.chat(_text(tokens, f"long {name}"), 1))
        await asyncio.sleep(0.2)  # until it is under way
        result = await contestant.chat(f"{name}: hello", 1)
        await long
        return result.first_token * 1000

    return measure


def _text(tokens: int, name: str) -> str:
    """New to every cache; a number takes about five tokens."""
    seed = sum(map(ord, name)) * 7919
    return f"{name} " + " ".join(
        f"{(index * 7919 + seed) % 9973}" for index in range(max(1, tokens // 5 - 6))
    )


def _row(pair: Pair) -> str:
    ratios = pair.ratios
    return (
        f"| {pair.name} | {statistics.median(pair.ours):,.0f} {pair.unit} "
        f"| {statistics.median(pair.peer):,.0f} {pair.unit} "
        f"| {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) |"
    )


_SECTION = """\
## {title}

Through HTTP, streamed, with the same file and prompts: Tramontane and {versions}, in turn, {rounds} round(s)
after a warm-up. Streams: tokens a second after the first token, all streams together.

| | Tramontane | llama.cpp's server | times as good, median (min to max) |
|---|---|---|---|
{rows}
"""
