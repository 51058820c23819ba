"""How fast a server answers: a minute of requests through its API, one figure after another."""

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from tramontane.cli.stream_client import TimedStream, timed_stream
from tramontane.cli.verdict import Streams

STREAMS: Final = (1, 4, 16)
_SECONDS: Final = 5.0
"""That a measurement should take: it gets as many tokens as fit."""
_PREFIX_TOKENS: Final = 1000
_TOKENS_A_NUMBER: Final = 5
_TEXTS: Final = 64


@dataclass(slots=True)
class Measured:
    """What has been found out so far. Seconds and tokens a second."""

    first_token: float = 0.0
    """Of a short prompt, alone."""
    prompt_rate: float = 0.0
    prompt_tokens: int = 0
    """Of the prompt that the rate was measured with."""
    streams: list[Streams] = field(default_factory=list)
    fresh_prefix: float = 0.0
    """To the first token of a long prompt."""
    known_prefix: float = 0.0
    """And of another that begins as it does."""
    texts_per_second: float | None = None
    """Embeddings; None if the server has none."""


class Measuring:
    """Asks the server at `base_url`.

    Args:
        base_url: without a path.
        key: of a workspace whose limits are not in the way.
        model: of the chats.
        embedding_model: None if there is none.
    """

    def __init__(self, base_url: str, key: str, model: str, embedding_model: str | None) -> None:
        self.measured = Measured()
        self._base_url = base_url
        self._key = key
        self._model = model
        self._embedding_model = embedding_model
        self._numbers = itertools.count()

    async def run(self) -> AsyncIterator[tuple[str, str]]:
        """Name and value of each figure when it is known.

        Raises:
            RemoteServerError: the server fails.
            httpx.HTTPError: it cannot be reached.
        """
        measured = self.measured
        await self._chat("Hello", 2)
        shorts = [await self._chat(f"{number}: hello", 1) for number in range(5)]
        measured.first_token = statistics.median(stream.first_token for stream in shorts)
        yield "First token, short prompt", _milliseconds(measured.first_token)

        await self._measure_prompt()
        yield (
            f"Reading a prompt of {measured.prompt_tokens:,} tokens",
            f"{measured.prompt_rate:,.0f} tokens/s",
        )

        for count in STREAMS:
            streams = await self._measure_streams(count)
            measured.streams.append(streams)
            each = "" if count == 1 else f", {streams.each:.1f} each"
            yield f"{count} answer{'s' * (count > 1)} at once", f"{streams.total:,.1f} tokens/s{each}"

        await self._measure_prefix()
        yield (
            f"The same {_PREFIX_TOKENS:,} tokens again, another question",
            f"{_milliseconds(measured.known_prefix)} instead of {_milliseconds(measured.fresh_prefix)}",
        )
        if self._embedding_model is not None:
            measured.texts_per_second = await self._measure_embeddings()
            yield f"Embeddings, {_TEXTS} sentences at once", f"{measured.texts_per_second:,.0f} a second"

    async def _measure_prompt(self) -> None:
        probe = await self._chat(self._new_text(200), 1)
        rate = probe.prompt_tokens / probe.first_token
        tokens = int(min(max(rate * _SECONDS, 256), 2000))
        stream = await self._chat(self._new_text(tokens), 1)
        self.measured.prompt_tokens = stream.prompt_tokens
        self.measured.prompt_rate = stream.prompt_tokens / stream.first_token

    async def _measure_streams(self, count: int) -> Streams:
        tokens = 32
        if self.measured.streams:
            tokens = int(min(max(self.measured.streams[0].each * _SECONDS, 16), 128))
        texts = [f"Story {next(self._numbers)}: tell me about the sea." for _ in range(count)]
        streams = await asyncio.gather(*(self._chat(text, tokens) for text in texts))
        return Streams(count, sum(stream.tokens_per_second for stream in streams))

    async def _measure_prefix(self) -> None:
        prefix = self._new_text(_PREFIX_TOKENS)
        self.measured.fresh_prefix = (await self._chat(f"{prefix} Say yes.", 1)).first_token
        self.measured.known_prefix = (await self._chat(f"{prefix} Say no.", 1)).first_token

    async def _measure_embeddings(self) -> float:
        headers = {"Authorization": f"Bearer {self._key}"}
        async with httpx.AsyncClient(
            base_url=self._base_url, headers=headers, timeout=120, trust_env=False
        ) as client:
            await self._embed(client)
            started = time.perf_counter()
            await self._embed(client)
            return _TEXTS / (time.perf_counter() - started)

    async def _embed(self, client: httpx.AsyncClient) -> None:
        texts: Sequence[str] = [
            f"Letter {next(self._numbers)}: the wind blows from the north over the sea and the hills."
            for _ in range(_TEXTS)
        ]
        body = {"model": self._embedding_model, "input": texts, "encoding_format": "base64"}
        (await client.post("/v1/embeddings", json=body)).raise_for_status()

    async def _chat(self, text: str, tokens: int) -> TimedStream:
        body: dict[str, object] = {
            "model": self._model,
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
            "max_tokens": tokens,
            "min_tokens": tokens,
        }
        return await timed_stream(self._base_url, self._key, body)

    def _new_text(self, tokens: int) -> str:
        """About so many tokens that no cache knows."""
        seed = next(self._numbers) * 104_729
        count = max(1, tokens // _TOKENS_A_NUMBER)
        return " ".join(f"{(index * 7919 + seed) % 9973}" for index in range(count))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
