"""Completions at servers that take messages: the request goes on as it is, in their dialect."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

import orjson

from tramontane.core.clock import Clock, SystemClock
from tramontane.core.events import Event
from tramontane.core.remote import Dialect, RemoteRequest, RunningUsage
from tramontane.engines.protocol import EngineInfo
from tramontane.engines.upstream.connection import Connection
from tramontane.engines.upstream.facts import Facts
from tramontane.engines.upstream.options import PoolOptions
from tramontane.engines.upstream.reader import AnswerReader
from tramontane.engines.upstream.replica import Replica


class UpstreamCompletionEngine:
    """A model that other servers serve.

    Args:
        options: the servers.
        model: its name there.
        dialect: that they speak; None finds out.
        slots: told to the caller, not enforced.
    """

    def __init__(
        self,
        options: PoolOptions,
        model: str,
        dialect: Dialect | None = None,
        *,
        slots: int = 256,
        clock: Clock | None = None,
    ) -> None:
        self._connection = Connection(options, model, clock or SystemClock())
        self._dialect = dialect
        self._slots = slots

    @property
    def info(self) -> EngineInfo:
        """Known once `start` has returned. What is known of a vocabulary is the server's."""
        return self._connection.info(self._slots)

    @property
    def running(self) -> int:
        """Requests that servers are answering now."""
        return self._connection.pool.outstanding

    @property
    def facts(self) -> Facts | None:
        """What a server has said of the model; None if none has yet."""
        return self._connection.facts

    @property
    def dialect(self) -> Dialect:
        """That of OpenAI, until something else is known."""
        if self._dialect is not None:
            return self._dialect
        return self.facts.dialect if self.facts else Dialect.OPENAI

    async def start(self) -> None:
        """Find out what can be found out. Servers may come later."""
        await self._connection.open()

    async def close(self) -> None:
        """Let go of the servers."""
        await self._connection.close()

    async def check_health(self) -> None:
        """Raise EngineUnavailableError unless a server can be asked."""
        self._connection.check()

    async def complete(self, request: RemoteRequest, used: RunningUsage) -> AsyncGenerator[Event]:
        """The answers as events, as a server sends them; what they use is noted in `used`.

        Raises:
            UpstreamRefusalError, ContextLengthError: the server finds fault with the request.
            CapacityError: all servers have too much to do.
            EngineUnavailableError: none answers.
            EngineError: one failed on the way.
        """
        body = orjson.dumps({**request.body, "model": self._connection.model, "stream": True})
        ask = partial(self._answer if request.is_streamed else self._whole_answer, request, body, used)
        async with aclosing(self._connection.ask(request.affinity, ask)) as events:
            async for event in events:
                yield event

    async def _answer(
        self, request: RemoteRequest, body: bytes, used: RunningUsage, replica: Replica
    ) -> AsyncGenerator[Event]:
        used.restart()
        reader = AnswerReader(request, used)
        async with aclosing(self._connection.client.stream(f"{replica.url}/{request.path}", body)) as data:
            async for piece in data:
                for event in reader.feed(piece):
                    yield event
        for event in reader.end():
            yield event

    async def _whole_answer(
        self, request: RemoteRequest, body: bytes, used: RunningUsage, replica: Replica
    ) -> AsyncGenerator[Event]:
        """Nothing before all is there: until then another server can answer instead."""
        async with aclosing(self._answer(request, body, used, replica)) as events:
            whole = [event async for event in events]
        for event in whole:
            yield event
