"""What the commands that work on the database share: how it is found, and that it is open for a moment.

They work beside a running server, and without one; what they change holds there at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.settings import CONFIG_VARIABLE, Settings, env_name, load_settings, revealed
from tramontane.storage.database import Database

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Result = TypeVar("Result")


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


def settings_of(config: Path | None, data_dir: Path | None) -> Settings:
    """The settings, with what `database_options` gave."""
    return load_settings(config, data_dir=data_dir)


def with_database(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do `work` on the database of the settings.

    Raises:
        TramontaneError: it cannot be opened, or what is asked cannot be; says why.
    """

    async def run() -> Result:
        database = await Database.open(settings.data_dir, revealed(settings.database_url))
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


async def workspace_id_of(workspaces: WorkspaceService, organization_id: str, reference: str | None) -> str:
    """Of the workspace with this id or name; of the default one if none is named."""
    if reference is None:
        return DEFAULT_WORKSPACE_ID
    return (await workspaces.find(organization_id, reference)).id
