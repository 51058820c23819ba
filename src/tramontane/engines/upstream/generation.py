"""Generation at servers that take token ids: prompts and answers are ours, as with the engines here."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

import orjson

from tramontane.core.clock import Clock, SystemClock
from tramontane.core.prompt import TokensPrompt
from tramontane.core.remote import Dialect
from tramontane.core.sampling import SamplingParams
from tramontane.engines.checks import check_generation
from tramontane.engines.protocol import EngineDelta, EngineInfo
from tramontane.engines.upstream.connection import NAME, Connection
from tramontane.engines.upstream.failures import ReplicaError
from tramontane.engines.upstream.options import PoolOptions
from tramontane.engines.upstream.replica import Replica
from tramontane.engines.upstream.token_streams import TokenStream, token_stream
from tramontane.errors import EngineUnavailableError


class UpstreamGenerationEngine:
    """A model that other servers serve, driven by token ids.

    Args:
        options: the servers.
        model: its name there.
        vocabulary_size: of its tokenizer.
        max_context_length: tokens; what a server says goes before, where it is less.
        slots: told to the caller, not enforced.
        dialect: that the servers speak; None finds out.
    """

    def __init__(
        self,
        options: PoolOptions,
        model: str,
        *,
        vocabulary_size: int,
        max_context_length: int,
        slots: int = 16,
        dialect: Dialect | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._connection = Connection(options, model, clock or SystemClock())
        self._vocabulary_size = vocabulary_size
        self._max_context_length = max_context_length
        self._slots = slots
        self._dialect = dialect
        self._has_started = False

    @property
    def info(self) -> EngineInfo:
        """Known once `start` has returned."""
        if not self._has_started:
            raise EngineUnavailableError
        facts = self._connection.facts
        said = facts.max_context_length if facts else None
        return EngineInfo(
            NAME,
            self._vocabulary_size,
            min(said or self._max_context_length, self._max_context_length),
            self._slots,
            abilities=self._stream.abilities,
        )

    @property
    def running(self) -> int:
        """Requests that servers are answering now."""
        return self._connection.pool.outstanding

    async def start(self) -> None:
        """Find out what can be found out. Servers may come later."""
        await self._connection.open()
        self._has_started = True

    async def close(self) -> None:
        """Let go of the servers."""
        await self._connection.close()

    async def check_health(self) -> None:
        """Raise EngineUnavailableError unless a server can be asked."""
        self._connection.check()

    async def generate(self, prompt: TokensPrompt, params: SamplingParams) -> AsyncGenerator[EngineDelta]:
        """Continue `prompt` at a server; see the protocol."""
        params = check_generation(prompt, params, self.info)
        kind = self._stream
        body = orjson.dumps(kind(params).body(prompt, self._connection.model))
        ask = partial(self._answer, kind, params, body)
        async with aclosing(self._connection.ask(prompt.affinity, ask)) as deltas:
            async for delta in deltas:
                yield delta

    async def _answer(
        self, kind: type[TokenStream], params: SamplingParams, body: bytes, replica: Replica
    ) -> AsyncGenerator[EngineDelta]:
        stream, left = kind(params), params.max_tokens
        last: EngineDelta | None = None
        async with aclosing(self._connection.client.stream(kind.url(replica.url), body)) as events:
            async for event in events:
                delta = stream.feed(event)
                if delta is None:
                    continue
                left -= len(delta.token_ids)
                if left < 0 or any(not 0 <= token < self._vocabulary_size for token in delta.token_ids):
                    raise ReplicaError("it sent more tokens than it may, or such as there are not")
                if delta.finish_reason is None:
                    yield delta
                    continue
                last = delta
                if stream.is_ours_to_end:
                    break
        if last is None:
            raise ReplicaError("its stream ended before the answer")
        yield last

    @property
    def _stream(self) -> type[TokenStream]:
        facts = self._connection.facts
        return token_stream(self._dialect or (facts.dialect if facts else Dialect.VLLM))
