"""The models of a running server: looked at, loaded, unloaded, added and removed by whoever runs it."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from tramontane.catalog.fake import fake_profile
from tramontane.catalog.resolve import define_model
from tramontane.core.clock import Clock
from tramontane.errors import (
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    TramontaneError,
)
from tramontane.models import repository
from tramontane.models.catalog import AnyModel, Catalog
from tramontane.models.factory import ModelFactory
from tramontane.models.job import ENDED, Job, JobPhase
from tramontane.models.preparation import PreparedModel, has_files
from tramontane.models.repository import AddedModel
from tramontane.settings import ModelSettings, Settings
from tramontane.settings.models import completed
from tramontane.storage.database import Database
from tramontane.weights.hub_reference import parse_hub_reference

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

Prepare = Callable[[ModelSettings, Job, bool], Sequence[PreparedModel]]
"""Fetches and converts a model, telling the job; the last argument accepts its licence. Blocks."""

_KEPT_JOBS: Final = 100
"""Of those that have ended."""


class ModelService:
    """What the admin API, the console and the commands do with models.

    Args:
        settings: of the server, for what an added model leaves open.
        catalog: all that is served; models of the settings are in it already.
        factory: makes served models.
        prepare: makes their files ready.
        database: remembers what was added.
        clock: tells when.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        factory: ModelFactory,
        prepare: Prepare,
        database: Database,
        clock: Clock,
    ) -> None:
        self.catalog = catalog
        self._settings = settings
        self._factory = factory
        self._prepare = prepare
        self._database = database
        self._clock = clock
        self._added: dict[str, Sequence[AnyModel]] = {}
        """By the id of the model: itself, and what its adapters make of it."""
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def restore(self) -> None:
        """Serve again what was added before the last stop.

        What cannot be served at once, because its files are gone, becomes a job. A model that the settings
        name now goes before an added one of the same id.
        """
        async with self._database.snapshot() as connection:
            found = await repository.all_added(connection)
        for added in found:
            try:
                model = ModelSettings.model_validate_json(added.settings)
            except ValidationError:
                logger.warning(
                    "The added model %s has settings of another release: it is not served", added.id
                )
                continue
            if self._own(added.id) is not None:
                logger.warning("The added model %s is not served: the settings name another one", added.id)
                continue
            job = self._new_job(model)
            await self._begin(job, model, accepts_licence=True, remembers=False)

    async def settle(self, seconds: float) -> None:
        """Wait until no job goes on, but no longer than so."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)

    async def close(self) -> None:
        """Break off all jobs, and take all models out of memory."""
        for job in self._jobs.values():
            job.is_cancelled.set()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await asyncio.gather(*(model.close() for model in self.catalog))

    def get(self, model_id: str) -> AnyModel:
        """The model that answers to `model_id`.

        Raises:
            NotFoundError: there is none.
        """
        model = self.catalog.find(model_id)
        if model is None:
            raise NotFoundError(f"No model is served as {model_id}.")
        return model

    def is_added(self, model: AnyModel) -> bool:
        """Whether it was added to the running server, and can be removed."""
        return model.name in self._added

    async def load(self, model_id: str, *, wait: bool = False) -> AnyModel:
        """Begin to load the model, and with `wait` wait until it is loaded.

        Raises:
            NotFoundError: there is none.
            EngineUnavailableError: it cannot be loaded.
        """
        model = self.get(model_id)
        model.begin_load()
        if wait:
            await model.load()
        return model

    async def unload(self, model_id: str, *, force: bool = False) -> AnyModel:
        """Take the model out of memory.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is in use, and not to be unloaded by force.
        """
        model = self.get(model_id)
        await model.unload(force=force)
        return model

    async def add(self, model: ModelSettings, *, accepts_licence: bool = False) -> Job:
        """Begin to fetch and convert a model; then it is served, and will be after each start.

        Args:
            model: what is said of it; what it leaves open is as for all.
            accepts_licence: also one that restricts use.

        Raises:
            InvalidRequestError: it names no model that could be.
            ConflictError: a model of this id is served, or on its way.
        """
        if model.upstream is not None:
            raise InvalidRequestError(
                "A model of other servers, which may have a key, is named in the settings file only."
            )
        model = _with_whole_paths(model)
        name = await asyncio.to_thread(_id_of, completed(self._settings, model))
        if self._own(name) is not None:
            raise ConflictError(f"A model {name} is served already. Give this one another id.")
        if any(job.model == name and job.phase not in ENDED for job in self._jobs.values()):
            raise ConflictError(f"A model {name} is being added already.")
        job = self._new_job(model, name)
        await self._begin(job, model, accepts_licence=accepts_licence, remembers=True)
        return job

    async def remove(self, model_id: str, *, force: bool = False) -> None:
        """Serve an added model no longer, nor what its adapters make of it. Its files stay.

        Raises:
            NotFoundError: there is none.
            ConflictError: the settings name it, or it is in use and not to be removed by force.
        """
        model = self.get(model_id)
        if not self.is_added(model):
            raise ConflictError(
                f"Model {model.name} was not added to the running server: the settings name it, and it would "
                f"be back with the next start. It can be unloaded."
            )
        models = self._added[model.name]
        for one in models:
            one.check_unload(force=force)
        del self._added[model.name]
        self.catalog.remove(models)
        async with self._database.transaction() as connection:
            await repository.forget(connection, model.name)
        await asyncio.gather(*(one.close() for one in models))

    def jobs(self) -> Sequence[Job]:
        """All jobs of this server that are remembered, the newest first."""
        return tuple(reversed(self._jobs.values()))

    def job(self, job_id: str) -> Job:
        """One job.

        Raises:
            NotFoundError: there is none.
        """
        if job_id not in self._jobs:
            raise NotFoundError(f"There is no job {job_id} of this server.")
        return self._jobs[job_id]

    async def cancel(self, job_id: str) -> Job:
        """Break a job off, if it has not ended. What was fetched stays, for a next time.

        Raises:
            NotFoundError: there is none.
        """
        job = self.job(job_id)
        if job.phase not in ENDED:
            job.is_cancelled.set()
            task = self._tasks[job_id]
            task.cancel()
            await asyncio.wait({task})
        return job

    def _own(self, name: str) -> AnyModel | None:
        return next((model for model in self.catalog if model.name == name), None)

    def _new_job(self, model: ModelSettings, name: str | None = None) -> Job:
        ended = [job.id for job in self._jobs.values() if job.phase in ENDED]
        for job_id in ended[: max(0, len(ended) + 1 - _KEPT_JOBS)]:
            del self._jobs[job_id]
        job = Job(name or model.id or model.model or "model", model, int(self._clock.now()))
        self._jobs[job.id] = job
        return job

    async def _begin(self, job: Job, model: ModelSettings, *, accepts_licence: bool, remembers: bool) -> None:
        work = self._work(job, model, accepts_licence=accepts_licence, remembers=remembers)
        task = self._tasks[job.id] = asyncio.create_task(work, name=f"add {job.model}")
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    async def _work(self, job: Job, model: ModelSettings, *, accepts_licence: bool, remembers: bool) -> None:
        try:
            await self._serve(job, model, accepts_licence=accepts_licence, remembers=remembers)
            job.phase = JobPhase.DONE
        except asyncio.CancelledError:
            job.phase = JobPhase.CANCELLED
        except TramontaneError as error:
            job.phase, job.error = JobPhase.FAILED, str(error)
            logger.error("%s cannot be added: %s", job.model, error)  # noqa: TRY400 - no fault of ours
        except Exception:
            job.phase, job.error = JobPhase.FAILED, "An unexpected error; the server's log has it."
            logger.exception("%s cannot be added", job.model)
        job.ended_at = int(self._clock.now())

    async def _serve(self, job: Job, model: ModelSettings, *, accepts_licence: bool, remembers: bool) -> None:
        complete = completed(self._settings, model)
        prepared: Sequence[PreparedModel] = ()
        if has_files(complete):
            prepared = await _in_a_thread(lambda: self._prepare(complete, job, accepts_licence))
        models = await self._factory.serve(complete, prepared)
        self.catalog.add(models)
        name = job.model = models[0].name
        try:
            self.catalog.check_spill()
            if remembers:
                await self._remember(name, model)
        except BaseException:
            self.catalog.remove(models)
            raise
        self._added[name] = models
        for one in models:
            if complete.load == "start":
                one.begin_load()

    async def _remember(self, name: str, model: ModelSettings) -> None:
        added = AddedModel(name, model.model_dump_json(exclude_unset=True), int(self._clock.now()))
        async with self._database.transaction() as connection:
            await repository.remember(connection, added)


def _with_whole_paths(model: ModelSettings) -> ModelSettings:
    """A file or folder is the same after a start in another folder."""
    path = Path(model.model or "").expanduser()
    is_here = model.model is not None and parse_hub_reference(model.model) is None and path.exists()
    changes: dict[str, object] = {"model": str(path.absolute())} if is_here else {}
    if model.adapters:
        changes["adapters"] = tuple(folder.expanduser().absolute() for folder in model.adapters)
    return model.model_copy(update=changes)


def _id_of(model: ModelSettings) -> str:
    if model.engine == "fake":
        return fake_profile(model, 0).id
    try:
        return define_model(model).id
    except ConfigurationError as error:
        raise InvalidRequestError(str(error)) from error


async def _in_a_thread(work: Callable[[], Result]) -> Result:
    """Its result. A thread of its own, which nobody waits for at the end: it may hang in a download."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Result] = loop.create_future()

    def settle(set_it: Callable[[], None]) -> None:
        if not result.done():
            set_it()

    def run() -> None:
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            outcome = error
            finish: Callable[[], None] = lambda: result.set_exception(outcome)  # noqa: E731
        else:
            finish = lambda: result.set_result(value)  # noqa: E731
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, finish)

    threading.Thread(target=run, name="prepare a model", daemon=True).start()
    return await result
