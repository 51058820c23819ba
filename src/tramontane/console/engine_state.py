"""What is to be seen of a loaded model while it works."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tramontane.catalog.catalog import Catalog, GenerationModel, LoadedModel
from tramontane.engines.protocol import EngineInfo
from tramontane.errors import EngineUnavailableError
from tramontane.serving.running import RunningRequests
from tramontane.serving.states import memory_of


@runtime_checkable
class _InAProcess(Protocol):
    @property
    def worker_pid(self) -> int | None: ...

    @property
    def restarts(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model, now."""

    model: LoadedModel
    aliases: tuple[str, ...]
    """The ids that it answers to in the place of the hosted models."""
    info: EngineInfo | None
    """None while the engine is not ready."""
    problem: str
    """Empty if it would answer now."""
    memory: int | None
    """Bytes that its process has in memory; None if it has no process of its own."""
    restarts: int | None
    """Of its process, since the server started; None if it has none."""
    running: int
    waiting: int
    tokens_per_second: float
    """Of the answers that it gives now."""

    @property
    def tasks(self) -> list[str]:
        """What it can be asked for."""
        if not isinstance(self.model, GenerationModel):
            return ["embeddings"]
        can, chat = self.model.profile.capabilities, self.model.chat
        tasks = {
            "chat": can.completion_chat,
            "fill-in-the-middle": can.completion_fim,
            "tools": can.completion_chat and chat.output_format.calls is not None,
            "reasoning": bool(chat.reasoning_efforts),
        }
        return [name for name, is_able in tasks.items() if is_able]


async def states(catalog: Catalog, running: RunningRequests) -> list[ModelState]:
    """All models, in the catalog's order."""
    return [await _state(catalog, model, running) for model in catalog]


async def _state(catalog: Catalog, model: LoadedModel, running: RunningRequests) -> ModelState:
    info, problem = None, ""
    try:
        await model.engine.check_health()
        info = model.engine.info
    except EngineUnavailableError as error:
        problem = error.message
    return ModelState(
        model=model,
        aliases=tuple(alias for alias in model.profile.aliases if catalog.find(alias) is model),
        info=info,
        problem=problem,
        memory=memory_of(model.engine.worker_pid) if isinstance(model.engine, _InAProcess) else None,
        restarts=model.engine.restarts if isinstance(model.engine, _InAProcess) else None,
        running=sum(admission.running for admission in model.admissions),
        waiting=sum(admission.waiting for admission in model.admissions),
        tokens_per_second=running.tokens_per_second(model.profile.id),
    )
