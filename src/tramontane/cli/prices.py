"""`tramontane prices`."""

import json
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import click

from tramontane.billing.calendar import day_of
from tramontane.billing.prices.price_list import price_list
from tramontane.billing.prices.repository import EVERY_WORKSPACE, PriceOverride
from tramontane.cli.billing import Billing, Dollars, with_billing
from tramontane.cli.database import database_options, settings_of
from tramontane.cli.tables import echo_table
from tramontane.core.money import Price, dollars, exact_text

WORKSPACE = click.option("--workspace", metavar="ID|NAME", help="In this workspace.  [default: in all]")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON; money is text, in USD.")


@click.group()
def prices() -> None:
    """Show and set what models cost.

    Prices are USD per million tokens. Changes hold at once in every running server; what is billed already
    stays as it was billed.
    """


@prices.command("list")
@database_options
@JSON
def list_prices(config: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List your own prices, and below them the hosted API's, which hold where you have set none."""

    async def work(billing: Billing) -> tuple[Sequence[PriceOverride], Mapping[str, str]]:
        workspaces = await billing.workspaces.list(billing.organization_id)
        return await billing.prices.overrides(), {one.id: one.name for one in workspaces}

    overrides, names = with_billing(settings_of(config, data_dir), work)
    rows = [*(_own(one, names) for one in overrides), *_listed()]
    if as_json:
        click.echo(json.dumps([_fields(row) for row in rows], indent=2))
        return
    table = [
        [model, *_figures(price), where, "" if since == 0 else day_of(since).isoformat(), source]
        for model, price, where, since, source in rows
    ]
    head = ["MODEL", "INPUT", "CACHED", "OUTPUT", "WHERE", "FROM (UTC)", "SOURCE"]
    echo_table(head, table, numbers=head[1:4])


@prices.command("set")
@click.argument("model")
@click.option("--input", "input_price", type=Dollars(), required=True, help="A million prompt tokens.")
@click.option("--output", "output_price", type=Dollars(), required=True, help="A million answer tokens.")
@click.option("--cached-input", type=Dollars(), help="A million cached tokens.  [default: 10 % of --input]")
@database_options
@WORKSPACE
def set_price(
    model: str,
    input_price: Decimal,
    output_price: Decimal,
    cached_input: Decimal | None,
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
) -> None:
    """Set what MODEL costs from now on: an id that requests name, or that of the model that serves them."""
    try:
        price = Price.of(input_price, output_price, cached_input)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    _set(model, price, config, data_dir, workspace)
    figures = ", ".join(f"{text} {name}" for text, name in zip(_figures(price), _NAMES, strict=True))
    click.echo(f"{model} costs {figures} per million tokens{_where(workspace)}.")


@prices.command()
@click.argument("model")
@database_options
@WORKSPACE
def unset(model: str, config: Path | None, data_dir: Path | None, workspace: str | None) -> None:
    """Take your own price of MODEL back: the hosted API's holds again, if there is one."""
    _set(model, None, config, data_dir, workspace)
    click.echo(f"{model} has no price of your own{_where(workspace)}.")


_NAMES = ("input", "cached", "output")
_Row = tuple[str, Price | None, str, int, str]
"""Model, price, where it holds, since when, and why."""


def _set(
    model: str, price: Price | None, config: Path | None, data_dir: Path | None, workspace: str | None
) -> None:
    async def work(billing: Billing) -> None:
        where = EVERY_WORKSPACE if workspace is None else await billing.workspace_id(workspace)
        await billing.prices.set(model, price, where)

    with_billing(settings_of(config, data_dir), work)


def _own(override: PriceOverride, names: Mapping[str, str]) -> _Row:
    whose = override.workspace_id
    where = "all workspaces" if whose == EVERY_WORKSPACE else names.get(whose, whose)
    source = "set by you" if override.price is not None else "taken back by you"
    return override.model, override.price, where, override.valid_from, source


def _listed() -> list[_Row]:
    listed, now = price_list(), time.time()
    rows: list[_Row] = []
    for model in listed.models():
        if (price := listed.at(model, now)) is not None:
            rows.append((model, price.price, "", price.valid_from, price.source.partition(",")[0]))
        else:
            rows.append((model, None, "", 0, f"unknown: {listed.reason_unknown(model)}"))
    return rows


def _figures(price: Price | None) -> Sequence[str]:
    if price is None:
        return "-", "-", "-"
    return dollars(price.input), dollars(price.cached_input), dollars(price.output)


def _where(workspace: str | None) -> str:
    return "" if workspace is None else f" in the workspace {workspace}"


def _fields(row: _Row) -> dict[str, str | int | None]:
    model, price, where, since, source = row
    return {
        "model": model,
        "input_usd": None if price is None else exact_text(price.input),
        "cached_input_usd": None if price is None else exact_text(price.cached_input),
        "output_usd": None if price is None else exact_text(price.output),
        "workspace": where or None,
        "valid_from": since,
        "source": source,
    }
