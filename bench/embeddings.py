"""Embeddings beside sentence-transformers: the same model, texts and machine, in turn."""

import asyncio
import base64
import os
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np
import numpy.typing as npt

from bench.lines import Lines, lines
from bench.servers import KEY, Server
from tramontane.engines.openvino.engine import OpenVinoEmbeddingEngine
from tramontane.prompts.tokenizer import HuggingFaceTokenizer
from tramontane.weights.artifact import Artifact

_REFERENCE = Path(__file__).parent.parent / ".venv-reference" / "bin" / "python"
_TEXT = "the wind blows from north over sea and hills where people live in houses of stone and wood"
_REQUEST_TOKENS = 16_000
"""The hosted API takes 16,384 a request: more texts are several requests at once."""
_MIXED = (5, 8, 10, 14, 20, 25, 30, 45, 60, 90, 120, 200)

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Case:
    """Texts of some length, so many at a time."""

    lengths: str
    batch: int
    rounds: int

    def texts(self, rng: random.Random) -> list[str]:
        """New ones; a word is a token, and two stand around each text."""
        words = {"short": (14,), "mixed": _MIXED, "long": (254,)}[self.lengths]
        return [" ".join(rng.choices(_TEXT.split(), k=rng.choice(words))) for _ in range(self.batch)]


CASES = [
    Case("short", 1, 15),
    Case("short", 8, 7),
    Case("short", 64, 5),
    Case("short", 512, 3),
    Case("mixed", 1, 15),
    Case("mixed", 8, 7),
    Case("mixed", 64, 3),
    Case("mixed", 512, 1),
    Case("long", 1, 7),
    Case("long", 8, 3),
    Case("long", 64, 1),
]


_LONE_TEXTS = 10
"""In one turn: the first of them finds processor caches that are another's."""
_PAUSE = 0.3
"""Seconds between two turns, so that nobody's threads spin in another's."""


@dataclass(slots=True)
class Measured:
    """Seconds a batch, round by round."""

    case: Case
    tokens: int = 0
    peer: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    engine: list[float] = field(default_factory=list)
    """Tokenizer and worker without the server."""
    lowest_cosine: float = 1.0


def reference_python() -> str | None:
    """The interpreter that has sentence-transformers, if a make target has put one."""
    python = os.environ.get("REFERENCE_PYTHON", str(_REFERENCE))
    return python if Path(python).exists() else None


async def section(server: Server, artifact: Artifact, source: Path) -> str:
    """The section of the page, or why there is none.

    Args:
        server: serves the model.
        artifact: of the model.
        source: folder of its files, which the peer reads.
    """
    python = reference_python()
    if python is None:
        return "## Embeddings\n\nNot measured: `make bench` installs what they are measured beside.\n"
    loop = str(Path(__file__).parent / "sentence_transformers_loop.py")
    engine = OpenVinoEmbeddingEngine(artifact)
    async with lines(python, loop, str(source), env=os.environ | {"HF_HUB_OFFLINE": "1"}) as peer:
        await engine.start()
        try:
            bench = _Bench(server, engine, HuggingFaceTokenizer.from_artifact(artifact), peer)
            measured = [await bench.measure(case) for case in CASES]
        finally:
            await engine.close()
    return _SECTION.format(
        versions=peer.hello["versions"],
        rows="\n".join(map(_row, measured)),
        cosine=min(one.lowest_cosine for one in measured),
    )


@dataclass(frozen=True, slots=True)
class _Bench:
    server: Server
    engine: OpenVinoEmbeddingEngine
    tokenizer: HuggingFaceTokenizer
    peer: Lines

    async def measure(self, case: Case) -> Measured:
        """Rounds of peer, served, engine; before them one that is not counted."""
        measured = Measured(case)
        rng = random.Random(f"{case.lengths} {case.batch}")
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(self.server.base_url, headers=headers) as client:
            for number in range(case.rounds + 1):
                turn = [case.texts(rng) for _ in range(_LONE_TEXTS if case.batch == 1 else 1)]
                answers = [await self.peer.ask({"texts": texts}) for texts in turn]
                await asyncio.sleep(_PAUSE)
                served = [await self._served(client, texts) for texts in turn]
                await asyncio.sleep(_PAUSE)
                embedded = [await self._embedded(texts) for texts in turn]
                if not number:
                    continue
                measured.peer.append(statistics.median(answer["seconds"] for answer in answers))
                measured.served.append(statistics.median(seconds for seconds, _ in served))
                measured.engine.append(statistics.median(seconds for seconds, _ in embedded))
                measured.tokens += sum(tokens for _, tokens in embedded) // len(turn)
                for answer, (_, vectors) in zip(answers, served, strict=True):
                    cosine = float((vectors * _vectors(answer["vectors"], case.batch)).sum(axis=1).min())
                    measured.lowest_cosine = min(measured.lowest_cosine, cosine)
        return measured

    async def _served(self, client: aiohttp.ClientSession, texts: Sequence[str]) -> tuple[float, Vectors]:
        """Seconds over HTTP, with the texts in as many requests as the hosted limits ask for."""
        per_request = _REQUEST_TOKENS // (2 + max(len(text.split()) for text in texts))
        parts = [texts[at : at + per_request] for at in range(0, len(texts), per_request)]
        started = time.perf_counter()
        answers = await asyncio.gather(*(self._ask(client, part) for part in parts))
        seconds = time.perf_counter() - started
        return seconds, np.concatenate(answers)

    async def _ask(self, client: aiohttp.ClientSession, texts: Sequence[str]) -> Vectors:
        body = {"model": "mistral-embed", "input": texts, "encoding_format": "base64"}
        async with client.post("/v1/embeddings", json=body, raise_for_status=True) as response:
            data = (await response.json())["data"]
        return np.concatenate([_vectors(entry["embedding"], 1) for entry in data])

    async def _embedded(self, texts: Sequence[str]) -> tuple[float, int]:
        started = time.perf_counter()
        batch = self.tokenizer.encode_batch(texts, self.engine.info.max_context_length)
        await self.engine.embed(batch.token_ids)
        return time.perf_counter() - started, sum(map(len, batch.token_ids))


def _vectors(data: str, count: int) -> Vectors:
    return np.frombuffer(base64.b64decode(data), "<f4").reshape(count, -1)


def _row(measured: Measured) -> str:
    peer, served, engine = map(statistics.median, (measured.peer, measured.served, measured.engine))
    ratios = [theirs / ours for theirs, ours in zip(measured.peer, measured.served, strict=True)]
    tokens = measured.tokens / len(measured.served)
    return (
        f"| {measured.case.lengths} ({tokens / measured.case.batch:.0f} tokens) | {measured.case.batch} "
        f"| {peer * 1000:,.1f} ms | {served * 1000:,.1f} ms | {engine * 1000:,.1f} ms "
        f"| {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) "
        f"| {tokens / served:,.0f} |"
    )


_SECTION = """\
## Embeddings beside sentence-transformers

all-MiniLM-L6-v2 with texts of one length or mixed ones, so many at a time: by {versions}
(in batches of up to 64), over HTTP (base64), and by the engine without the server, in turn (lone texts ten to
a turn). New texts in each round, after one that is not counted. The lowest cosine between vectors of the same
text is {cosine:.5f}.

| texts | at a time | sentence-transformers | over HTTP | engine | times as fast over HTTP | tokens/s, HTTP |
|---|---|---|---|---|---|---|
{rows}
"""
