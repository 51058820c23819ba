"""What the commands of workspaces, keys and limits share: the database, opened for a moment, and its services.

They work beside a running server, and without one; what they change holds there at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID
from tramontane.accounts.key_service import KeyService
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.core.clock import SystemClock
from tramontane.limits.override_service import OverrideService
from tramontane.settings import CONFIG_VARIABLE, Settings, env_name, load_settings, revealed
from tramontane.storage.database import Database

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
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
        if reference is None:
            return DEFAULT_WORKSPACE_ID
        return (await self.workspaces.find(self.organization_id, reference)).id


def database_options(command: Decorated) -> Decorated:
    """Give the command `--config` and `--data-dir`, which `settings_of` takes."""
    command = click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        help=f"Folder of the database, unless {env_name('database_url')} names one.  "
        f"[env: {env_name('data_dir')}]",
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"TOML file with settings.  [env: {CONFIG_VARIABLE}]",
    )(command)


def with_accounts(settings: Settings, work: Callable[[Accounts], Awaitable[Result]]) -> Result:
    """Do `work` on the database of the settings, in which there is a default workspace then.

    Raises:
        TramontaneError: it cannot be opened, or what is asked cannot be; says why.
    """

    async def run() -> Result:
        clock = SystemClock()
        database = await Database.open(settings.data_dir, revealed(settings.database_url))
        try:
            await AccountsService(database, clock).ensure_default_workspace()
            return await work(
                Accounts(
                    WorkspaceService(database, clock), KeyService(database, clock), OverrideService(database)
                )
            )
        finally:
            await database.close()

    return asyncio.run(run())


def settings_of(config: Path | None, data_dir: Path | None) -> Settings:
    """The settings, with what `database_options` gave."""
    return load_settings(config, data_dir=data_dir)
