"""What the console needs of the rest of the server."""

from dataclasses import dataclass

from starlette.types import ASGIApp

from tramontane.accounts.key_service import KeyService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.catalog.catalog import Catalog
from tramontane.console.sessions import SessionService
from tramontane.core.clock import Clock
from tramontane.settings import Settings
from tramontane.storage.database import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """Made by `bootstrap`."""

    settings: Settings
    clock: Clock
    database: Database
    catalog: Catalog
    workspaces: WorkspaceService
    keys: KeyService
    sessions: SessionService
    api: ASGIApp
    """The Mistral API, to which the playground's requests are handed."""
