"""Engines without a model: for tests of client programs, and load tests of everything else."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence

import numpy as np
import numpy.typing as npt

from tramontane.core.byte_groups import BYTE_GROUPS, bytes_of
from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.core.vocabulary import BYTE_VOCABULARY
from tramontane.engines.checks import check_generation, check_input
from tramontane.engines.fake.answer import WORD, answer_to, last_user_text
from tramontane.engines.fake.script import Script
from tramontane.engines.fake.vectors import EMBEDDING_DIMENSION, hashed_vector
from tramontane.engines.protocol import Ability, EngineDelta, EngineInfo
from tramontane.errors import EngineUnavailableError


class _Life:
    """Started, then closed: there is nothing to load."""

    def __init__(self, info: EngineInfo) -> None:
        self._info = info
        self._started = False
        self._closed = asyncio.Event()

    @property
    def info(self) -> EngineInfo:
        """Known once `start` has returned."""
        if not self._started:
            raise EngineUnavailableError
        return self._info

    async def start(self) -> None:
        """Nothing to load."""
        self._started = True

    async def close(self) -> None:
        """End what runs."""
        self._closed.set()

    async def check_health(self) -> None:
        """Raise EngineUnavailableError unless started and not closed."""
        if not self._started or self._closed.is_set():
            raise EngineUnavailableError


class FakeGenerationEngine(_Life):
    """Answers from a script, in the vocabulary `BYTE_VOCABULARY`.

    Obeys max_tokens, min_tokens and stop tokens. The other sampling parameters choose between tokens by their
    probabilities; here each next token is certain, so that they rightly change nothing.

    Args:
        script: what to answer; without rules, it says that it is the fake engine and repeats the user's text.
        tokens_per_second: pace of each answer; 0 is as fast as the event loop goes round.
        slots: told to the caller, not enforced.
        max_context_length: tokens of prompt and answer together.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        tokens_per_second: float = 0.0,
        slots: int = 16,
        max_context_length: int = 32_768,
    ) -> None:
        super().__init__(
            EngineInfo(
                "fake",
                len(BYTE_VOCABULARY),
                max_context_length,
                slots,
                abilities=frozenset({Ability.SCRIPTED}),
            )
        )
        self._script = script or Script()
        self._seconds_per_token = 1 / tokens_per_second if tokens_per_second else 0.0
        self._running = 0

    @property
    def running(self) -> int:
        """Requests that are being answered now."""
        return self._running

    async def generate(self, prompt: TokensPrompt, params: SamplingParams) -> AsyncGenerator[EngineDelta]:
        """Answer `prompt`; see the protocol."""
        await self.check_health()
        params = check_generation(prompt, params, self._info)
        reply = self._script.reply(last_user_text(prompt.token_ids))
        data, finish_reason = answer_to(reply, params)
        self._running += 1
        try:
            await self._pause(reply.delay)
            start = time.monotonic()
            for word in WORD.finditer(data[: reply.error.after_tokens] if reply.error else data):
                await self._pause(start + word.end() * self._seconds_per_token - time.monotonic())
                yield EngineDelta(tuple(word.group()))
            if reply.error:
                raise reply.error.error()
            yield EngineDelta((), finish_reason)
        finally:
            self._running -= 1

    async def _pause(self, seconds: float) -> None:
        """Let others run, at least for a moment.

        Raises:
            EngineUnavailableError: closed meanwhile.
        """
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closed.wait()
        else:
            await asyncio.sleep(0)
        if self._closed.is_set():
            raise EngineUnavailableError


class FakeEmbeddingEngine(_Life):
    """Vectors of hashed words and parts of words, of texts in the vocabulary of `core.byte_groups`.

    Equal texts have equal vectors, similar ones have near ones; a vector never depends on the other inputs.

    Args:
        slots: told to the caller, not enforced.
        max_context_length: tokens of an input.
    """

    def __init__(self, *, slots: int = 16, max_context_length: int = 8192) -> None:
        super().__init__(EngineInfo("fake", BYTE_GROUPS, max_context_length, slots, EMBEDDING_DIMENSION))

    async def embed(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """The vectors of `inputs`; see the protocol."""
        await self.check_health()
        for token_ids in inputs:
            check_input(token_ids, self._info)
        vectors = np.empty((len(inputs), EMBEDDING_DIMENSION), np.float32)
        for row, token_ids in zip(vectors, inputs, strict=True):
            row[:] = hashed_vector(bytes_of(token_ids).decode(errors="replace"))
            await asyncio.sleep(0)
            await self.check_health()
        return vectors
