"""One vLLM for a model and all its adapters: the weights are loaded once."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.engines.protocol import EngineDelta, EngineInfo
from tramontane.engines.vllm.engine import VllmGenerationEngine
from tramontane.errors import EngineUnavailableError


class SharedVllm:
    """Runs while one of its users does. `create` makes the engine, anew after each end."""

    def __init__(self, create: Callable[[], VllmGenerationEngine]) -> None:
        self._create = create
        self._engine: VllmGenerationEngine | None = None
        self._users: set[AdapterEngine] = set()
        self._turn = asyncio.Lock()

    async def enter(self, user: "AdapterEngine") -> VllmGenerationEngine:
        """The running engine, started for the first user.

        Raises:
            ModelStoreError: vLLM cannot load the model.
        """
        async with self._turn:
            if self._engine is None:
                engine = self._create()
                try:
                    await engine.start()
                except BaseException:
                    await engine.close()
                    raise
                self._engine = engine
            self._users.add(user)
            return self._engine

    async def leave(self, user: "AdapterEngine") -> None:
        """End the engine after the last user."""
        async with self._turn:
            if user not in self._users:
                return
            self._users.discard(user)
            if not self._users and self._engine is not None:
                engine, self._engine = self._engine, None
                await engine.close()


class AdapterEngine:
    """The model with one adapter, or without."""

    def __init__(self, shared: SharedVllm, adapter: str | None = None) -> None:
        self._shared = shared
        self._adapter = adapter
        self._engine: VllmGenerationEngine | None = None

    @property
    def info(self) -> EngineInfo:
        """Known once `start` has returned."""
        return self._running().info

    @property
    def worker_pid(self) -> int | None:
        """Of the process that all share."""
        return self._engine.worker_pid if self._engine else None

    @property
    def restarts(self) -> int:
        """Of the process that all share."""
        return self._engine.restarts if self._engine else 0

    async def start(self) -> None:
        """Load the model, unless another user has."""
        self._engine = await self._shared.enter(self)

    async def close(self) -> None:
        """End all requests, and vLLM if nobody else uses it."""
        self._engine = None
        await self._shared.leave(self)

    async def check_health(self) -> None:
        """Raise EngineUnavailableError unless it is ready."""
        await self._running().check_health()

    def generate(self, prompt: TokensPrompt, params: SamplingParams) -> AsyncGenerator[EngineDelta]:
        """Continue `prompt`; see the protocol."""
        return self._running().generate(prompt, params, self._adapter)

    def _running(self) -> VllmGenerationEngine:
        if self._engine is None:
            raise EngineUnavailableError
        return self._engine
