"""`tramontane spend`."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import click

from tramontane.billing.spending.claims import Scope
from tramontane.billing.spending.service import SpendingStatus
from tramontane.cli.billing import Billing, Dollars, with_billing
from tramontane.cli.database import database_options, settings_of
from tramontane.cli.tables import echo_table
from tramontane.core.money import dollars, exact_text

WORKSPACE = click.option("--workspace", metavar="ID|NAME", help="Of this workspace.")
ORGANIZATION = click.option("--organization", is_flag=True, help="Of all workspaces together.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON; money is text, in USD.")
Named = tuple[str, SpendingStatus]


@click.group()
def spend() -> None:
    """Show and set spending limits.

    They are USD that may be spent in a calendar month (UTC). Changes hold at once in every running server.
    """


@spend.command()
@database_options
@JSON
def show(config: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Show what is spent this month, and what is left, of every workspace and of all together."""

    async def work(billing: Billing) -> list[Named]:
        found = [
            (one.name, await billing.spending.status(Scope.WORKSPACE, one.id))
            for one in await billing.workspaces.list(billing.organization_id)
            if one.archived_at is None
        ]
        whole = await billing.spending.status(Scope.ORGANIZATION, billing.organization_id)
        return [*found, ("all workspaces", whole)]

    _show(with_billing(settings_of(config, data_dir), work), as_json=as_json)


@spend.command("set")
@click.argument("amount", metavar="USD|none")
@database_options
@WORKSPACE
@ORGANIZATION
@JSON
def set_limit(
    amount: str,
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    *,
    organization: bool,
    as_json: bool,
) -> None:
    """Limit what may be spent in a month, or take the limit away with `none`.

    Without an option it is the default workspace's limit.
    """
    if organization and workspace is not None:
        raise click.UsageError("Choose either --workspace or --organization.")
    limit = None if amount.lower() == "none" else Dollars().convert(amount, None, None)

    async def work(billing: Billing) -> list[Named]:
        if organization:
            scope, scope_id, name = Scope.ORGANIZATION, billing.organization_id, "all workspaces"
        else:
            scope, scope_id = Scope.WORKSPACE, await billing.workspace_id(workspace)
            name = (await billing.workspaces.get(billing.organization_id, scope_id)).name
        await billing.spending.set(scope, scope_id, limit)
        return [(name, await billing.spending.status(scope, scope_id))]

    _show(with_billing(settings_of(config, data_dir), work), as_json=as_json)


def _show(found: Sequence[Named], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_fields(name, status) for name, status in found], indent=2))
        return
    rows = [
        [
            name,
            "none" if status.limit is None else dollars(status.limit),
            dollars(status.spending.spent),
            dollars(status.spending.reserved),
            "" if status.limit is None else dollars(_left(status, status.limit)),
            status.resets_on.isoformat(),
        ]
        for name, status in found
    ]
    head = ["WORKSPACE", "LIMIT", "SPENT", "RESERVED", "LEFT", "RESETS (UTC)"]
    echo_table(head, rows, numbers=head[1:5])


def _left(status: SpendingStatus, limit: Decimal) -> Decimal:
    return max(Decimal(0), limit - status.spending.spent - status.spending.reserved)


def _fields(name: str, status: SpendingStatus) -> dict[str, str | bool | None]:
    return {
        "name": name,
        "scope": status.scope.value,
        "id": status.scope_id,
        "month": f"{status.month:%Y-%m}",
        "limit_usd": None if status.limit is None else exact_text(status.limit),
        "spent_usd": exact_text(status.spending.spent),
        "reserved_usd": exact_text(status.spending.reserved),
        "reached": status.is_reached,
        "resets_on": status.resets_on.isoformat(),
    }
