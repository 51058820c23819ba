"""`tramontane limits`."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import click

from tramontane.accounts.entities import Workspace
from tramontane.catalog.fake import fake_profile
from tramontane.catalog.names import names_of
from tramontane.catalog.profile import ModelProfile
from tramontane.catalog.resolve import adapted_model, define_model
from tramontane.cli.accounts import Accounts, with_accounts
from tramontane.cli.database import database_options, settings_of, with_database
from tramontane.cli.tables import echo_json, echo_table
from tramontane.errors import ConfigurationError
from tramontane.limits.cards import limits_card, limits_cards
from tramontane.limits.entities import WorkspaceLimits
from tramontane.limits.figures import NO_OVERRIDE, Changes, Figure
from tramontane.models.repository import all_added
from tramontane.models.servers import upstream_profile
from tramontane.schemas.admin.limits import MOST_COUNTED, LimitFigures
from tramontane.settings import ModelSettings, Settings, named_models
from tramontane.storage.database import Database

_OTHER_MODELS: Final = "(every other)"
_HEAD: Final = ("WORKSPACE", "PLAN", "MODEL", "REQUESTS/MIN", "BURST", "TOKENS/MIN", "TOKENS/MONTH")
_FIGURES: Final = tuple(LimitFigures.model_fields)
_OPTIONS: Final = [name.replace("_", "-") for name in _FIGURES]

Found = Sequence[tuple[Workspace, WorkspaceLimits]]


class _FigureType(click.ParamType[Figure]):
    """A whole number, or `unlimited`."""

    name = "N|unlimited"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Figure:
        if value == "unlimited":
            return "unlimited"
        text = str(value)
        if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > MOST_COUNTED:
            self.fail(f"{text!r} is neither 'unlimited' nor a whole number up to {MOST_COUNTED}.", param, ctx)
        return int(text)


_MODEL = click.option(
    "--model", metavar="ID", help="Only for this model.  [default: all that have no figure of their own]"
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the admin API answers it.")


@click.group()
def limits() -> None:
    """Show and change the limits of workspaces.

    A WORKSPACE is named by its id or its name. Changes hold at once in every running server.
    """


@limits.command()
@click.argument("workspace", required=False)
@database_options
@_JSON
def show(workspace: str | None, config: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Show the limits of WORKSPACE, or of all."""

    async def work(accounts: Accounts) -> Found:
        if workspace is not None:
            chosen = [await accounts.workspaces.find(accounts.organization_id, workspace)]
        else:
            everyone = await accounts.workspaces.list(accounts.organization_id)
            chosen = [one for one in everyone if one.archived_at is None]
        return [(one, await accounts.limits.get(one.id)) for one in chosen]

    found = with_accounts(settings_of(config, data_dir), work)
    if as_json and workspace is None:
        echo_json(limits_cards(limits for _, limits in found))
    else:
        _show(found, as_json=as_json)


@limits.command("set")
@click.argument("workspace")
@_MODEL
@click.option("--requests-per-minute", type=_FigureType(), help="Requests in any 60 seconds.")
@click.option(
    "--burst",
    type=click.IntRange(1, MOST_COUNTED),
    help="Of these at once.  [default: with --requests-per-minute as many as belong to a second]",
)
@click.option("--tokens-per-minute", type=_FigureType(), help="Tokens in any 60 seconds.")
@click.option("--tokens-per-month", type=_FigureType(), help="Tokens in a calendar month, UTC.")
@database_options
@_JSON
def set_limits(
    workspace: str,
    model: str | None,
    config: Path | None,
    data_dir: Path | None,
    *,
    as_json: bool,
    **figures: Figure | None,
) -> None:
    """Set figures in the place of the plan's; those that are not given stay as they are."""
    chosen = {name: figure for name, figure in figures.items() if figure is not None}
    if not chosen:
        raise click.UsageError(f"Say what to set: --{', --'.join(_OPTIONS)}.")
    settings = settings_of(config, data_dir)
    served = None if model is None else _served_model(settings, model)
    _show([_change(settings, workspace, served, cast("Changes", chosen))], as_json=as_json)


@limits.command()
@click.argument("workspace")
@_MODEL
@click.argument("figures", nargs=-1, type=click.Choice(_OPTIONS))
@database_options
@_JSON
def unset(
    workspace: str,
    model: str | None,
    figures: Sequence[str],
    config: Path | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Give figures back to the plan: those that are named, or all."""
    settings = settings_of(config, data_dir)
    changes = {name.replace("-", "_"): None for name in figures} or NO_OVERRIDE
    # One that is no longer served is named by the id that it was served under.
    served = None if model is None else _served_models(settings).get(model, model)
    _show([_change(settings, workspace, served, cast("Changes", changes))], as_json=as_json)


def _change(
    settings: Settings, reference: str, model: str | None, changes: Changes
) -> tuple[Workspace, WorkspaceLimits]:
    async def work(accounts: Accounts) -> tuple[Workspace, WorkspaceLimits]:
        workspace = await accounts.workspaces.find(accounts.organization_id, reference)
        return workspace, await accounts.limits.change(workspace.id, model, changes)

    return with_accounts(settings, work)


def _show(found: Found, *, as_json: bool) -> None:
    if as_json:
        echo_json(limits_card(found[0][1]))
        return
    rows = []
    for workspace, its_limits in found:
        card = limits_card(its_limits)
        for model, shown in {**card.models, _OTHER_MODELS: card}.items():
            cells = [_cell(getattr(shown.limits, name), getattr(shown.override, name)) for name in _FIGURES]
            rows.append([workspace.name, card.plan, model, *cells])
    echo_table(_HEAD, rows)
    if any(its_limits.overrides for _, its_limits in found):
        click.echo("\n* in the place of the plan's figure")


def _cell(figure: Figure, override: Figure | None) -> str:
    text = figure if isinstance(figure, str) else f"{figure:,}"
    return text if override is None else f"{text}*"


def _served_model(settings: Settings, name: str) -> str:
    """The id of the model that answers to `name`: limits belong to that."""
    served = _served_models(settings)
    if name not in served:
        own = ", ".join(dict.fromkeys(served.values()))
        raise ConfigurationError(f"--model {name!r}: no such model is served; those are {own}")
    return served[name]


def _served_models(settings: Settings) -> dict[str, str]:
    """Which model answers to which id with these settings, as the catalog has it when they are loaded."""
    profiles = [profile for model in named_models(settings) for profile in _profiles(model)]
    served = {name: profile.id for name, profile in names_of(profiles).items()}
    return {model_id: model_id for model_id in with_database(settings, _added)} | served


async def _added(database: Database) -> Sequence[str]:
    """The ids of models that were added to a running server."""
    async with database.snapshot() as connection:
        return [added.id for added in await all_added(connection)]


def _profiles(model: ModelSettings) -> Iterator[ModelProfile]:
    """Of a model and its adapters. How long their contexts are does not matter here."""
    if model.engine == "fake":
        yield fake_profile(model, 0)
        return
    if model.engine == "upstream":
        yield upstream_profile(model)
        return
    definition = define_model(model)
    yield definition.profile(0, model.aliases)
    yield from (adapted_model(definition, folder).profile(0, ()) for folder in model.adapters)
