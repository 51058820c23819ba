"""`tramontane usage`."""

import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import click

from tramontane.billing.calendar import last_day
from tramontane.billing.usage.export import as_csv, as_json
from tramontane.billing.usage.report import By, UsageLine, UsageQuery, UsageReport
from tramontane.cli.billing import Billing, with_billing
from tramontane.cli.database import database_options, settings_of
from tramontane.cli.tables import echo_table
from tramontane.core.money import dollars

_BAR = 20
"""Characters of the longest bar."""
_EIGHTHS = " ▏▎▍▌▋▊▉"


class Month(click.ParamType[date]):
    """A month, by its first day: `2026-11`."""

    name = "month"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The first day."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(str(value), "%Y-%m").replace(tzinfo=UTC).date()
        except ValueError:
            self.fail(f"{value!r} is no month like 2026-11", param, ctx)


DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@database_options
@click.option("--month", type=Month(), metavar="YYYY-MM", help="A whole month.  [default: the current one]")
@click.option("--since", type=DAY, metavar="YYYY-MM-DD", help="From this day on.")
@click.option("--until", type=DAY, metavar="YYYY-MM-DD", help="To this day, included.")
@click.option("--by", type=click.Choice([by.value for by in By]), default="day", show_default=True)
@click.option("--workspace", metavar="ID|NAME", help="Of this workspace only.")
@click.option("--model", metavar="ID", help="Of requests that name this model only.")
@click.option("--json", "as_", flag_value="json", help="Print JSON; money is text, in USD.")
@click.option("--csv", "as_", flag_value="csv", help="Print CSV; money is in USD.")
def usage(  # noqa: PLR0913, PLR0917  one an option
    config: Path | None,
    data_dir: Path | None,
    month: date | None,
    since: datetime | None,
    until: datetime | None,
    by: str,
    workspace: str | None,
    model: str | None,
    as_: str | None,
) -> None:
    """Show what was used and what it cost.

    Days are UTC. HOSTED is what the hosted API would have charged. `model` is the id that requests name,
    `served` the model that answered.
    """
    first, last = _span(month, since, until)

    async def work(billing: Billing) -> UsageReport:
        workspace_id = None if workspace is None else await billing.workspace_id(workspace)
        query = UsageQuery(first, last, By(by), billing.organization_id, workspace_id, model=model)
        return await billing.usage.report(query)

    report = with_billing(settings_of(config, data_dir), work)
    match as_:
        case "json":
            click.echo(json.dumps(as_json(report), indent=2))
        case "csv":
            sys.stdout.write(as_csv(report))
        case _:
            _show(report)


def _span(month: date | None, since: datetime | None, until: datetime | None) -> tuple[date, date]:
    if month is not None and (since or until):
        raise click.UsageError("Choose either --month, or --since and --until.")
    today = datetime.now(UTC).date()
    if since is None and until is None:
        first = month or today.replace(day=1)
        return first, last_day(first)
    last = today if until is None else until.date()
    return last.replace(day=1) if since is None else since.date(), last


def _show(report: UsageReport) -> None:
    query, total = report.query, report.total
    if not report.lines:
        click.echo(f"Nothing was used from {query.since} to {query.until}.")
        return
    by_cost = total.cost > 0
    most = max(_weight(line, by_cost=by_cost) for line in report.lines)
    rows = [[*_cells(line), _bar(_weight(line, by_cost=by_cost), most)] for line in report.lines]
    numbers = ["REQUESTS", "INPUT", "CACHED", "OUTPUT", "COST", "HOSTED"]
    head = [query.by.value.upper(), *numbers, ""]
    echo_table(head, [*rows, [*_cells(total), ""]], numbers)
    if total.unpriced:
        click.echo(
            f"\nUnpriced requests: {total.unpriced}. Their model has no price, and they are not in COST. "
            "Set one: tramontane prices set MODEL --input USD --output USD"
        )


def _cells(line: UsageLine) -> list[str]:
    failed = [f"{line.errors} failed"] * bool(line.errors) + [f"{line.cancelled} left"] * bool(line.cancelled)
    return [
        line.of if line.name is None else line.name,
        f"{line.requests:,}" + (f" ({', '.join(failed)})" if failed else ""),
        f"{line.prompt_tokens - line.cached_tokens:,}",
        f"{line.cached_tokens:,}",
        f"{line.completion_tokens:,}",
        _money(line.cost, line.requests - line.unpriced),
        _money(line.hosted_cost, line.requests - line.hosted_unpriced),
    ]


def _money(amount: Decimal, priced: int) -> str:
    return dollars(amount) if priced else "unpriced"


def _weight(line: UsageLine, *, by_cost: bool) -> Decimal:
    return line.cost if by_cost else Decimal(line.prompt_tokens + line.completion_tokens)


def _bar(weight: Decimal, most: Decimal) -> str:
    eighths = int(weight * _BAR * 8 / most) if most else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + _EIGHTHS[rest].strip()
