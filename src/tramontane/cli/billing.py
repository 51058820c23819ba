"""The services that the commands of prices, spending limits and usage work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import click

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.billing.prices.service import PriceService
from tramontane.billing.spending.service import SpendingService
from tramontane.billing.usage.service import UsageService
from tramontane.cli.database import with_database, workspace_id_of
from tramontane.core.clock import SystemClock
from tramontane.settings import Settings
from tramontane.storage.database import Database

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
        return await workspace_id_of(self.workspaces, self.organization_id, reference)


def with_billing(settings: Settings, work: Callable[[Billing], Awaitable[Result]]) -> Result:
    """Do `work` on the database of the settings, whether a server runs on it or not.

    Raises:
        TramontaneError: it cannot be opened, or what is asked cannot be; says why.
    """

    async def on(database: Database) -> Result:
        clock = SystemClock()
        return await work(
            Billing(
                WorkspaceService(database, clock),
                PriceService(database, clock),
                SpendingService(database, clock),
                UsageService(database),
            )
        )

    return with_database(settings, on)


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
