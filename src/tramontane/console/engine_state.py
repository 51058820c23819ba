"""What is to be seen of a model while it works."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tramontane.engines.protocol import EngineInfo
from tramontane.errors import EngineUnavailableError
from tramontane.models.catalog import AnyModel, Catalog, generates
from tramontane.models.state import ModelState
from tramontane.serving.running import RunningRequests


@runtime_checkable
class _InAProcess(Protocol):
    @property
    def restarts(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model, now."""

    model: AnyModel
    aliases: tuple[str, ...]
    """The ids that it answers to in the place of the hosted models."""
    info: EngineInfo | None
    """None while it is not in memory."""
    life: ModelState
    restarts: int | None
    """Of its process, since it was loaded; None if it has none."""
    running: int
    slots: int
    waiting: int
    max_queue: int
    tokens_per_second: float
    """Of the answers that it gives now."""

    @property
    def problem(self) -> str:
        """Empty if it would answer now, or as soon as it is loaded."""
        return self.life.problem or ""

    @property
    def memory(self) -> int | None:
        """Bytes that its process has in memory; None if it has no process of its own."""
        return self.life.memory

    @property
    def tasks(self) -> list[str]:
        """What it can be asked for."""
        if not generates(self.model):
            return ["embeddings"]
        can, traits = self.model.profile.capabilities, self.model.traits
        tasks = {
            "chat": can.completion_chat,
            "fill-in-the-middle": can.completion_fim,
            "tools": can.completion_chat and traits.function_calling,
            "reasoning": bool(traits.reasoning_efforts),
        }
        return [name for name, is_able in tasks.items() if is_able]


async def states(catalog: Catalog, running: RunningRequests) -> list[ModelView]:
    """All models, in the catalog's order."""
    return [await _view(catalog, model, running) for model in catalog]


async def _view(catalog: Catalog, model: AnyModel, running: RunningRequests) -> ModelView:
    engine: object = model.loaded.engine if model.loaded else None
    return ModelView(
        model=model,
        aliases=tuple(catalog.stand_ins_of(model)),
        info=_info(model),
        life=await model.state(),
        restarts=engine.restarts if isinstance(engine, _InAProcess) else None,
        running=sum(admission.running for admission in model.admissions),
        slots=sum(admission.slots for admission in model.admissions),
        waiting=sum(admission.waiting for admission in model.admissions),
        max_queue=sum(admission.max_queue for admission in model.admissions),
        tokens_per_second=running.tokens_per_second(model.profile.id),
    )


def _info(model: AnyModel) -> EngineInfo | None:
    try:
        return model.loaded.engine.info if model.loaded else None
    except EngineUnavailableError:
        return None
