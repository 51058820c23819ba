"""What the console needs of the rest of the server."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from tramontane.accounts.key_service import KeyService
from tramontane.accounts.members import MemberService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.billing.service import BillingService
from tramontane.billing.spending.service import SpendingService
from tramontane.billing.usage.service import UsageService
from tramontane.console.audit import AuditLog
from tramontane.console.sessions import SessionService
from tramontane.core.clock import Clock
from tramontane.limits.override_service import OverrideService
from tramontane.limits.service import LimitsService
from tramontane.limits.store import LimitStore
from tramontane.models.catalog import Catalog
from tramontane.models.service import ModelService
from tramontane.serving.running import RunningRequests
from tramontane.settings import Settings
from tramontane.storage.database import Database
from tramontane.transcripts.service import TranscriptService

if TYPE_CHECKING:  # with the hub's own library, which is slow to import
    from tramontane.catalog.planning import PlannedModel


@dataclass(frozen=True, slots=True)
class Live:
    """What only this process knows."""

    models: ModelService
    plan: Callable[[str], "PlannedModel"]
    """What a model of this name would take; asks the hub, so it may take long. Raises TramontaneError."""
    limiter: LimitsService
    limit_store: LimitStore
    billing: BillingService
    running: RunningRequests


@dataclass(frozen=True, slots=True)
class Parts:
    """Made by `bootstrap`."""

    settings: Settings
    clock: Clock
    database: Database
    live: Live
    workspaces: WorkspaceService
    keys: KeyService
    limits: OverrideService
    spending: SpendingService
    usage: UsageService
    members: MemberService
    audit: AuditLog
    transcripts: TranscriptService
    sessions: SessionService
    api: ASGIApp
    """The Mistral API, to which the playground's requests are handed."""

    @property
    def catalog(self) -> Catalog:
        """The models that are served."""
        return self.live.models.catalog

    @classmethod
    def of(
        cls,
        settings: Settings,
        clock: Clock,
        database: Database,
        live: Live,
        sessions: SessionService,
        api: ASGIApp,
    ) -> "Parts":
        """The services that hold nothing but the database are the console's own."""
        return cls(
            settings=settings,
            clock=clock,
            database=database,
            live=live,
            workspaces=WorkspaceService(database, clock),
            keys=KeyService(database, clock),
            limits=OverrideService(database),
            spending=SpendingService(database, clock),
            usage=UsageService(database),
            members=MemberService(database, clock),
            audit=AuditLog(database, clock),
            transcripts=TranscriptService(database, clock),
            sessions=sessions,
            api=api,
        )
