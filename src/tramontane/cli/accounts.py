"""The services that the commands of workspaces, keys and limits work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID
from tramontane.accounts.key_service import KeyService
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.cli.database import with_database, workspace_id_of
from tramontane.core.clock import SystemClock
from tramontane.limits.override_service import OverrideService
from tramontane.settings import Settings
from tramontane.storage.database import Database

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Accounts:
    """The services, and whose accounts they are to manage."""

    workspaces: WorkspaceService
    keys: KeyService
    limits: OverrideService
    organization_id: str = DEFAULT_ORGANIZATION_ID

    async def workspace_id(self, reference: str | None) -> str:
        """Of the workspace with this id or name; of the default one if none is named."""
        return await workspace_id_of(self.workspaces, self.organization_id, reference)


def with_accounts(settings: Settings, work: Callable[[Accounts], Awaitable[Result]]) -> Result:
    """Do `work` on the database of the settings, in which there is a default workspace then.

    Raises:
        TramontaneError: it cannot be opened, or what is asked cannot be; says why.
    """

    async def on(database: Database) -> Result:
        clock = SystemClock()
        await AccountsService(database, clock).ensure_default_workspace()
        workspaces, keys = WorkspaceService(database, clock), KeyService(database, clock)
        return await work(Accounts(workspaces, keys, OverrideService(database)))

    return with_database(settings, on)
