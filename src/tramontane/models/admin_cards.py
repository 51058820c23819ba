"""What the admin API tells of models and jobs."""

from collections.abc import Iterable

from tramontane.models.catalog import AnyModel
from tramontane.models.job import Job
from tramontane.models.service import ModelService
from tramontane.schemas.admin.models import (
    ModelJobCard,
    ModelJobCardList,
    ServedModelCard,
    ServedModelCardList,
)
from tramontane.settings import NEVER


async def served_model_card(models: ModelService, model: AnyModel) -> ServedModelCard:
    """One model, now."""
    state, settings = await model.state(), model.settings
    return ServedModelCard(
        id=model.name,
        task=model.task,
        description=model.profile.description,
        engine=settings.engine,
        aliases=list(models.catalog.stand_ins_of(model)),
        load=settings.load,
        keep_alive=None if settings.keep_alive == NEVER else settings.keep_alive,
        state=state.phase.value,
        state_since=int(state.since),
        answers=state.answers,
        problem=state.problem,
        memory=state.memory,
        memory_needed=state.memory_needed,
        users=state.users,
        idle_since=_seconds(state.idle_since),
        unloads_at=_seconds(state.unloads_at),
        is_added=models.is_added(model),
    )


async def served_model_cards(models: ModelService) -> ServedModelCardList:
    """All models, now."""
    return ServedModelCardList(data=[await served_model_card(models, model) for model in models.catalog])


def job_card(job: Job) -> ModelJobCard:
    """One job, now."""
    return ModelJobCard(
        id=job.id,
        model=job.model,
        state=job.phase.value,
        bytes_done=job.bytes_done,
        bytes_total=job.bytes_total,
        bytes_per_second=job.bytes_per_second,
        error=job.error,
        created_at=job.created_at,
        ended_at=job.ended_at,
    )


def job_cards(jobs: Iterable[Job]) -> ModelJobCardList:
    """Several jobs."""
    return ModelJobCardList(data=[job_card(job) for job in jobs])


def _seconds(time: float | None) -> int | None:
    return None if time is None else int(time)
