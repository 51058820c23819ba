"""What the commands of prices, spending limits and usage share: the services on a database, for a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import click

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.billing.prices.service import PriceService
from tramontane.billing.spending.service import SpendingService
from tramontane.billing.usage.service import UsageService
from tramontane.core.clock import SystemClock
from tramontane.settings import CONFIG_VARIABLE, Settings, env_name, load_settings, revealed
from tramontane.storage.database import Database

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Billing:
    """The services, and whose bills they are about."""

    workspaces: WorkspaceService
    prices: PriceService
    spending: SpendingService
    usage: UsageService
    organization_id: str = DEFAULT_ORGANIZATION_ID

    async def workspace_id(self, reference: str | None) -> str:
        """Of the workspace with this id or name; of the default one if none is named."""
        if reference is None:
            return DEFAULT_WORKSPACE_ID
        return (await self.workspaces.find(self.organization_id, reference)).id


def database_options(command: Command) -> Command:
    """Give the command `--config` and `--data-dir`, which `settings_of` takes."""
    for option in (
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path),
            help=f"Folder of the database.  [env: {env_name('data_dir')}]",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help=f"TOML file with settings.  [env: {CONFIG_VARIABLE}]",
        ),
    ):
        command = option(command)
    return command


def settings_of(config: Path | None, data_dir: Path | None) -> Settings:
    """The settings, with what `database_options` gave."""
    return load_settings(config, data_dir=data_dir)


def with_billing(settings: Settings, work: Callable[[Billing], Awaitable[Result]]) -> Result:
    """Do `work` on the database of the settings, whether a server runs on it or not.

    Raises:
        TramontaneError: it cannot be opened, or what is asked cannot be; says why.
    """

    async def run() -> Result:
        clock = SystemClock()
        database = await Database.open(settings.data_dir, revealed(settings.database_url))
        try:
            return await work(
                Billing(
                    WorkspaceService(database, clock),
                    PriceService(database, clock),
                    SpendingService(database, clock),
                    UsageService(database),
                )
            )
        finally:
            await database.close()

    return asyncio.run(run())


class Dollars(click.ParamType[Decimal]):
    """A sum of money, never read as a float: `0.40`, `12`, `$12`."""

    name = "usd"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """USD."""
        try:
            amount = Decimal(str(value).strip().removeprefix("$").replace(",", ""))
        except InvalidOperation:
            self.fail(f"{value!r} is no sum of money like 0.40 or 12", param, ctx)
        if not amount.is_finite() or amount < 0:
            self.fail(f"{value!r} is no sum of money like 0.40 or 12", param, ctx)
        return amount
