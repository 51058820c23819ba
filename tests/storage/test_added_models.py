"""Models on their way into a running server, and what is remembered of them."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from tests.support.model_life import GatedEngine, GatedLoader, World
from tests.support.scripted_engine import generation_model
from tests.support.waiting import eventually
from tramontane.errors import ConflictError, EngineUnavailableError, ModelStoreError
from tramontane.models.catalog import Catalog
from tramontane.models.job import JobPhase
from tramontane.models.served import ServedModel
from tramontane.models.service import ModelService
from tramontane.settings import ModelSettings, Settings
from tramontane.weights.progress import FetchProgress, Stage

pytestmark = pytest.mark.anyio

BUILTIN = ModelSettings(model="smollm2-135m-instruct", id="added", load="use")


class Site:
    """A server without engines: `steps` is what preparing a model does, given its job."""

    def __init__(self, database):
        self.world = World()
        self.steps = []
        self.go_on = threading.Event()
        self.database = database
        self.restart()

    def restart(self):
        self.catalog = Catalog()
        self.service = ModelService(
            Settings(), self.catalog, self, self.prepare, self.database, self.world.clock
        )

    def prepare(self, model, job, accepts_licence):
        for step in self.steps:
            step(job)
        return [SimpleNamespace(settings=model)]

    async def serve(self, model, prepared):
        made = generation_model(GatedEngine(), model.id)
        loader = GatedLoader(made, load=model.load)
        return [ServedModel(loader, made, self.world.memory, self.world.clock)]

    def hang(self, job):
        """As a download: again and again until the test, or a cancellation, ends it."""
        while not self.go_on.wait(0.01):
            job.fetching(FetchProgress("added", Stage.DOWNLOADING, 30, 100, 10))

    async def ended(self, job):
        await eventually(lambda: job.ended_at is not None)
        return job.phase


@pytest.fixture
async def site(database):
    site = Site(database)
    yield site
    site.go_on.set()
    await site.service.close()


def names(site):
    return [model.name for model in site.catalog]


async def test_a_job_tells_how_far_it_is_and_then_the_model_is_served(site):
    site.steps = [site.hang, lambda job: job.converting("added")]
    job = await site.service.add(BUILTIN)
    await eventually(lambda: job.bytes_per_second is not None)
    assert (job.phase, job.bytes_done, job.bytes_total) == (JobPhase.FETCHING, 30, 100)
    assert names(site) == []
    with pytest.raises(ConflictError, match="is being added already"):
        await site.service.add(BUILTIN)

    site.go_on.set()
    assert await site.ended(job) is JobPhase.DONE
    assert names(site) == ["added"]
    assert site.service.is_added(site.service.get("added"))
    with pytest.raises(ConflictError, match="is served already"):
        await site.service.add(BUILTIN)


async def test_a_cancelled_job_ends_its_download_and_serves_nothing(site):
    ends = []

    def watched(job):
        try:
            site.hang(job)
        except ModelStoreError as error:
            ends.append(error)

    site.steps = [watched]
    job = await site.service.add(BUILTIN)
    await eventually(lambda: job.phase is JobPhase.FETCHING)
    assert (await site.service.cancel(job.id)).phase is JobPhase.CANCELLED
    await eventually(lambda: ends)
    assert names(site) == []
    assert site.service.jobs() == (job,)

    site.steps = []
    again = await site.service.add(BUILTIN)
    assert await site.ended(again) is JobPhase.DONE


async def test_a_job_that_fails_says_why(site):
    def fail(job):
        raise ModelStoreError("added cannot be fetched: the network is down")

    def crash(job):
        raise RuntimeError("a fault of ours")

    for step, said in ((fail, "the network is down"), (crash, "server's log")):
        site.steps = [step]
        job = await site.service.add(BUILTIN)
        assert await site.ended(job) is JobPhase.FAILED
        assert said in job.error
    assert names(site) == []


async def test_what_was_added_is_served_after_a_restart_until_it_is_removed(site):
    await site.ended(await site.service.add(BUILTIN))
    await site.service.close()
    site.restart()
    await site.service.restore()
    await site.service.settle(60)
    assert names(site) == ["added"]
    assert site.service.get("added").settings.load == "use"

    await site.service.remove("added")
    site.restart()
    await site.service.restore()
    assert names(site) == []


async def test_a_model_whose_files_are_gone_does_not_keep_the_others_from_coming_back(site):
    await site.ended(await site.service.add(BUILTIN))
    site.restart()
    site.steps = [site.hang]  # it is fetched anew, which takes its time
    await site.service.restore()
    await site.service.settle(0.05)
    assert names(site) == []
    site.go_on.set()
    await eventually(lambda: names(site) == ["added"])


async def test_one_in_use_is_removed_by_force_only(site):
    await site.ended(await site.service.add(BUILTIN))
    model = site.service.get("added")
    async with model.lease():
        with pytest.raises(ConflictError, match="in use"):
            await site.service.remove("added")
        assert names(site) == ["added"]
        await site.service.remove("added", force=True)
    assert names(site) == []
    with pytest.raises(EngineUnavailableError):
        async with model.lease():
            pass


async def test_the_end_of_the_server_ends_its_jobs(site):
    site.steps = [site.hang]
    job = await site.service.add(BUILTIN)
    await eventually(lambda: job.phase is JobPhase.FETCHING)
    async with asyncio.timeout(30):
        await site.service.close()
    assert job.phase is JobPhase.CANCELLED
