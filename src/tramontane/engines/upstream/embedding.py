"""Embeddings at other servers."""

import base64
import binascii
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from tramontane.core.clock import Clock, SystemClock
from tramontane.core.usage import Usage
from tramontane.engines.protocol import EngineInfo
from tramontane.engines.upstream.chunks import UsagePart
from tramontane.engines.upstream.connection import Connection
from tramontane.engines.upstream.facts import Facts
from tramontane.engines.upstream.failures import ReplicaError
from tramontane.engines.upstream.options import PoolOptions
from tramontane.engines.upstream.replica import Replica
from tramontane.errors import EngineError

Vectors = npt.NDArray[np.float32]
_PATH: Final = "embeddings"


class _Vector(msgspec.Struct, frozen=True):
    embedding: list[float] | str
    index: int | None = None


class _Answer(msgspec.Struct, frozen=True):
    data: list[_Vector]
    usage: UsagePart | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)


class UpstreamEmbeddingEngine:
    """An embedding model that other servers serve.

    Args:
        options: the servers.
        model: its name there.
        slots: told to the caller, not enforced.
    """

    def __init__(
        self, options: PoolOptions, model: str, *, slots: int = 256, clock: Clock | None = None
    ) -> None:
        self._connection = Connection(options, model, clock or SystemClock())
        self._slots = slots

    @property
    def facts(self) -> Facts | None:
        """What a server has said of the model; None if none has yet."""
        return self._connection.facts

    @property
    def info(self) -> EngineInfo:
        """Known once `start` has returned. What is known of a vocabulary is the server's."""
        return self._connection.info(self._slots)

    @property
    def running(self) -> int:
        """Requests that servers are answering now."""
        return self._connection.pool.outstanding

    async def start(self) -> None:
        """Find out what can be found out. Servers may come later."""
        await self._connection.open()

    async def close(self) -> None:
        """Let go of the servers."""
        await self._connection.close()

    async def check_health(self) -> None:
        """Raise EngineUnavailableError unless a server can be asked."""
        self._connection.check()

    async def embed_texts(self, texts: Sequence[str]) -> tuple[Vectors, Usage | None]:
        """One vector a text; see the protocol. A server that fails is no loss: another one begins anew."""
        body = orjson.dumps(
            {"model": self._connection.model, "input": list(texts), "encoding_format": "float"}
        )
        ask = partial(self._answer, body, len(texts))
        async with aclosing(self._connection.ask(None, ask)) as answers:
            async for answer in answers:
                return answer
        raise EngineError("The upstream server sent no vectors.")

    async def _answer(
        self, body: bytes, count: int, replica: Replica
    ) -> AsyncGenerator[tuple[Vectors, Usage | None]]:
        data = await self._connection.client.post(f"{replica.url}/{_PATH}", body)
        yield _read(data, count)


def _read(data: bytes, count: int) -> tuple[Vectors, Usage | None]:
    """The vectors of an answer, in the order of its texts.

    Raises:
        ReplicaError: it is no such answer.
    """
    try:
        answer = _ANSWER.decode(data)
        places = [place if one.index is None else one.index for place, one in enumerate(answer.data)]
        if sorted(places) != list(range(count)):
            raise ReplicaError(f"it sent {len(places)} vectors for {count} texts")
        rows = [_numbers(answer.data[place].embedding) for place in np.argsort(places)]
        vectors = np.stack(rows) if rows else np.empty((0, 0), np.float32)
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise ReplicaError(f"it sent what are no vectors: {error}") from error
    if vectors.ndim != 2 or not vectors.shape[1] or not np.isfinite(vectors).all():
        raise ReplicaError("it sent vectors that are none")
    return vectors, _usage(answer.usage)


def _numbers(vector: list[float] | str) -> Vectors:
    if isinstance(vector, str):
        return np.frombuffer(base64.b64decode(vector, validate=True), "<f4").astype(np.float32)
    with np.errstate(over="ignore"):  # what is too large is no number then, and found to be none
        return np.array(vector, np.float32)


def _usage(said: UsagePart | None) -> Usage | None:
    if said is None or said.prompt_tokens is None or said.prompt_tokens < 0:
        return None
    return Usage(said.prompt_tokens)
