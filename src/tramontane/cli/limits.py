"""`tramontane limits`: works on the database itself, whether a server runs or not."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click
import orjson

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, Workspace
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.catalog.fake import CHAT_ID, EMBEDDING_ID
from tramontane.catalog.hosted import hosted_ids
from tramontane.catalog.resolve import resolve_model
from tramontane.cli.text_table import text_table
from tramontane.core.clock import SystemClock
from tramontane.errors import ConfigurationError
from tramontane.limits.cards import limits_card
from tramontane.limits.figures import NO_OVERRIDE, Changes, Figure
from tramontane.limits.override_service import OverrideService
from tramontane.schemas.admin.limits import MOST_COUNTED, LimitFigures, LimitOverride, WorkspaceLimitsCard
from tramontane.settings import CONFIG_VARIABLE, Settings, env_name, load_settings, revealed
from tramontane.storage.database import Database

Command = TypeVar("Command", bound=Callable[..., Any])

_OTHER_MODELS: Final = "(every other)"
_HEAD: Final = ("WORKSPACE", "PLAN", "MODEL", "REQUESTS/MIN", "BURST", "TOKENS/MIN", "TOKENS/MONTH")
_FIGURES: Final = tuple(LimitFigures.model_fields)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the commands work with."""

    workspaces: WorkspaceService
    overrides: OverrideService


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


_model_option = click.option(
    "--model", metavar="ID", help="Only for this model.  [default: all that have no figure of their own]"
)


def _common_options(command: Command) -> Command:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON, as the admin API answers."),
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


@click.group()
def limits() -> None:
    """Show and change the limits of workspaces.

    A workspace is named by its name or its id. Changes hold at once in every server that uses the same
    database.
    """


@limits.command()
@click.argument("workspace", required=False)
@_common_options
def show(workspace: str | None, config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show the limits of one workspace, or of all."""
    settings = load_settings(config, data_dir=data_dir)
    asyncio.run(_show(settings, workspace, as_json=as_json))


@limits.command("set")
@click.argument("workspace")
@_model_option
@click.option("--requests-per-minute", type=_FigureType(), help="Requests in any 60 seconds.")
@click.option(
    "--burst",
    type=click.IntRange(1, MOST_COUNTED),
    help="Of these at once.  [default: with --requests-per-minute as many as belong to a second]",
)
@click.option("--tokens-per-minute", type=_FigureType(), help="Tokens in any 60 seconds.")
@click.option("--tokens-per-month", type=_FigureType(), help="Tokens in a calendar month, UTC.")
@_common_options
def set_limits(
    workspace: str,
    model: str | None,
    config: Path | None,
    data_dir: Path | None,
    as_json: bool,
    **figures: Figure | None,
) -> None:
    """Set figures in the place of the plan's; those that are not given stay as they are."""
    chosen = {name: figure for name, figure in figures.items() if figure is not None}
    if not chosen:
        raise click.UsageError(f"Say what to set: {_options(_FIGURES)}.")
    settings = load_settings(config, data_dir=data_dir)
    served = None if model is None else _served_model(settings, model)
    asyncio.run(_change(settings, workspace, served, cast("Changes", chosen), as_json=as_json))


@limits.command()
@click.argument("workspace")
@_model_option
@click.argument("figures", nargs=-1, type=click.Choice([name.replace("_", "-") for name in _FIGURES]))
@_common_options
def unset(
    workspace: str,
    model: str | None,
    figures: Sequence[str],
    config: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Give figures back to the plan: those that are named, or all."""
    settings = load_settings(config, data_dir=data_dir)
    changes = {name.replace("-", "_"): None for name in figures} or NO_OVERRIDE
    # One that is no longer served is named by the id that it was served under.
    served = None if model is None else _served_models(settings).get(model, model)
    asyncio.run(_change(settings, workspace, served, cast("Changes", changes), as_json=as_json))


async def _show(settings: Settings, reference: str | None, *, as_json: bool) -> None:
    async with _opened(settings) as opened:
        if reference is not None:
            workspace = await opened.workspaces.find(DEFAULT_ORGANIZATION_ID, reference)
            await _print_one(opened, workspace, as_json=as_json)
            return
        found = [
            (workspace, limits_card(await opened.overrides.get(workspace.id)))
            for workspace in await opened.workspaces.list(DEFAULT_ORGANIZATION_ID)
            if workspace.archived_at is None
        ]
    if as_json:
        cards = [card.model_dump() for _, card in found]
        click.echo(orjson.dumps({"object": "list", "data": cards}).decode())
        return
    click.echo(_table(found))


async def _change(
    settings: Settings, reference: str, model: str | None, changes: Changes, *, as_json: bool
) -> None:
    async with _opened(settings) as opened:
        workspace = await opened.workspaces.find(DEFAULT_ORGANIZATION_ID, reference)
        await opened.overrides.change(workspace.id, model, changes)
        await _print_one(opened, workspace, as_json=as_json)


async def _print_one(opened: _Opened, workspace: Workspace, *, as_json: bool) -> None:
    card = limits_card(await opened.overrides.get(workspace.id))
    click.echo(card.model_dump_json() if as_json else _table([(workspace, card)]))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Opened]:
    database = await Database.open(settings.data_dir, revealed(settings.database_url))
    try:
        yield _Opened(WorkspaceService(database, SystemClock()), OverrideService(database))
    finally:
        await database.close()


def _table(found: Sequence[tuple[Workspace, WorkspaceLimitsCard]]) -> str:
    rows = []
    for workspace, card in found:
        each = {**card.models, _OTHER_MODELS: card}
        for model, shown in each.items():
            cells = [_cell(getattr(shown.limits, name), getattr(shown.override, name)) for name in _FIGURES]
            rows.append([workspace.name, card.plan, model, *cells])
    table = text_table(_HEAD, rows, numbers=_HEAD[3:])
    has_overrides = any(card.models or card.override != LimitOverride() for _, card in found)
    return f"{table}\n\n* in the place of the plan's figure" if has_overrides else table


def _cell(figure: Figure, override: Figure | None) -> str:
    text = figure if isinstance(figure, str) else f"{figure:,}"
    return text if override is None else f"{text}*"


def _options(names: Sequence[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def _served_model(settings: Settings, name: str) -> str:
    """The id of the model that answers to `name`: limits belong to that."""
    served = _served_models(settings)
    if name not in served:
        own = ", ".join(dict.fromkeys(served.values()))
        raise ConfigurationError(f"--model {name!r}: the settings name no such model; they name {own}")
    return served[name]


def _served_models(settings: Settings) -> dict[str, str]:
    """Which model answers to which id with these settings, as the catalog has it when they are loaded."""
    is_fake = settings.engine == "fake"
    chat = CHAT_ID if is_fake else resolve_model(settings.model, "generate").id
    embedding = EMBEDDING_ID if is_fake else resolve_model(settings.embedding_model, "embed").id
    embedding_ids = dict.fromkeys((embedding, *hosted_ids("embed")), embedding)
    return embedding_ids | dict.fromkeys((chat, *hosted_ids("generate")), chat)
