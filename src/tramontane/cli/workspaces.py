"""`tramontane workspaces`."""

import time
from pathlib import Path
from typing import get_args

import click

from tramontane.accounts.cards import workspace_card, workspace_cards
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID, ApiKey, Workspace
from tramontane.cli.accounts import Accounts, with_accounts
from tramontane.cli.database import database_options, settings_of
from tramontane.cli.tables import ago, date, echo_json, echo_table
from tramontane.settings import Plan, Settings

WORKSPACE = click.argument("workspace")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the admin API answers it.")
PLANS = click.Choice(get_args(Plan))


@click.group()
def workspaces() -> None:
    """Manage workspaces: what keys, limits and usage belong to.

    A WORKSPACE is named by its id or its name. Changes hold at once in every running server.
    """


@workspaces.command("list")
@database_options
@click.option("--all", "archived", is_flag=True, help="The archived ones too.")
@JSON
def list_workspaces(config: Path | None, data_dir: Path | None, *, archived: bool, as_json: bool) -> None:
    """List the workspaces."""

    async def work(accounts: Accounts) -> list[Workspace]:
        found = await accounts.workspaces.list(accounts.organization_id)
        return [workspace for workspace in found if archived or workspace.archived_at is None]

    found = with_accounts(settings_of(config, data_dir), work)
    if as_json:
        echo_json(workspace_cards(found))
        return
    rows = [[one.name, one.plan, _status(one), date(one.created_at), one.id] for one in found]
    echo_table(["NAME", "PLAN", "STATUS", "CREATED (UTC)", "ID"], rows)


@workspaces.command()
@click.argument("name")
@database_options
@click.option("--plan", type=PLANS, default="experiment", show_default=True, help="Its plan.")
@JSON
def create(name: str, config: Path | None, data_dir: Path | None, plan: str, *, as_json: bool) -> None:
    """Make a workspace called NAME."""

    async def work(accounts: Accounts) -> Workspace:
        return await accounts.workspaces.create(accounts.organization_id, name, plan)

    made = with_accounts(settings_of(config, data_dir), work)
    _say(made, f"Workspace {made.name!r} is made, on the plan {made.plan}.", as_json=as_json)
    if not as_json:
        click.echo(f"Its first key: tramontane keys create NAME --workspace {made.id}")


@workspaces.command()
@WORKSPACE
@database_options
@JSON
def show(workspace: str, config: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Show one workspace and its active keys."""

    async def work(accounts: Accounts) -> tuple[Workspace, list[ApiKey]]:
        found = await accounts.workspaces.find(accounts.organization_id, workspace)
        keys = await accounts.keys.list(ApiKey, accounts.organization_id, found.id)
        return found, list(keys)

    found, keys = with_accounts(settings_of(config, data_dir), work)
    if as_json:
        echo_json(workspace_card(found))
        return
    now = time.time()
    facts = {
        "Name": found.name,
        "Id": found.id,
        "Plan": found.plan,
        "Status": _status(found),
        "Created": f"{date(found.created_at)} UTC",
    }
    for name, value in facts.items():
        click.echo(f"{name:<9}{value}")
    active = [key for key in keys if key.is_valid(now)]
    if active:
        click.echo()
        rows = [
            [key.name, key.hint, date(key.expires_at, "never"), ago(key.last_used_at, now), key.id]
            for key in active
        ]
        echo_table(["KEY NAME", "KEY", "EXPIRES (UTC)", "LAST USED", "ID"], rows)


@workspaces.command()
@WORKSPACE
@click.argument("name")
@database_options
@JSON
def rename(workspace: str, name: str, config: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Give WORKSPACE another NAME."""

    async def work(accounts: Accounts) -> Workspace:
        workspace_id = await accounts.workspace_id(workspace)
        return await accounts.workspaces.rename(accounts.organization_id, workspace_id, name)

    renamed = with_accounts(settings_of(config, data_dir), work)
    _say(renamed, f"The workspace is now called {renamed.name!r}.", as_json=as_json)


@workspaces.command("set-plan")
@WORKSPACE
@click.argument("plan", type=PLANS, metavar="PLAN")
@database_options
@JSON
def set_plan(workspace: str, plan: str, config: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Move WORKSPACE to PLAN: experiment, scale or unlimited."""
    settings = settings_of(config, data_dir)

    async def work(accounts: Accounts) -> Workspace:
        workspace_id = await accounts.workspace_id(workspace)
        return await accounts.workspaces.set_plan(accounts.organization_id, workspace_id, plan)

    moved = with_accounts(settings, work)
    _say(moved, f"Workspace {moved.name!r} is on the plan {moved.plan} now.", as_json=as_json)
    _warn_of_the_setting(moved, settings)


@workspaces.command()
@WORKSPACE
@database_options
@JSON
def archive(workspace: str, config: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Revoke all keys of WORKSPACE and give its name free.

    Nothing is deleted: what it has used stays on record.
    """

    async def work(accounts: Accounts) -> Workspace:
        workspace_id = await accounts.workspace_id(workspace)
        return await accounts.workspaces.archive(accounts.organization_id, workspace_id)

    archived = with_accounts(settings_of(config, data_dir), work)
    _say(archived, f"Workspace {archived.name!r} is archived; its keys are revoked.", as_json=as_json)


def _say(workspace: Workspace, sentence: str, *, as_json: bool) -> None:
    if as_json:
        echo_json(workspace_card(workspace))
    else:
        click.echo(sentence)


def _status(workspace: Workspace) -> str:
    return "active" if workspace.archived_at is None else "archived"


def _warn_of_the_setting(workspace: Workspace, settings: Settings) -> None:
    if workspace.id == DEFAULT_WORKSPACE_ID and settings.plan not in {None, workspace.plan}:
        click.echo(
            f"The next start of a server with these settings puts it on {settings.plan} again: "
            "the setting `plan` says so.",
            err=True,
        )
