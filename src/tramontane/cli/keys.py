"""`tramontane keys`."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from tramontane.accounts.cards import key_card, key_cards, new_key_card
from tramontane.accounts.entities import AdminKey, ApiKey, Key, NewKey, Workspace
from tramontane.accounts.key_service import DEFAULT_GRACE_SECONDS
from tramontane.cli.accounts import Accounts, with_accounts
from tramontane.cli.database import database_options, settings_of
from tramontane.cli.tables import ago, date, echo_json, echo_table
from tramontane.cli.times import Expiry, Span

KEY = click.argument("key")
ADMIN = click.option("--admin", is_flag=True, help="Admin keys, which open the admin API and no model.")
WORKSPACE = click.option("--workspace", metavar="ID|NAME", help="Of this workspace.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the admin API answers it.")
EXPIRES = click.option(
    "--expires",
    type=Expiry(),
    metavar="SPAN|DATE",
    help="When the new key ends: 30d, 12h, 2027-01-31, …  [default: never]",
)


@click.group()
def keys() -> None:
    """Manage API keys and admin keys.

    A KEY is named by its id or its name. Changes hold at once in every running server.
    """


@keys.command("list")
@database_options
@WORKSPACE
@ADMIN
@click.option("--all", "ended", is_flag=True, help="The expired and revoked ones too.")
@JSON
def list_keys(
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    *,
    admin: bool,
    ended: bool,
    as_json: bool,
) -> None:
    """List the keys that work."""
    _refuse_workspace(workspace, admin=admin)
    now = time.time()

    async def work(accounts: Accounts) -> tuple[Sequence[Key], Sequence[Workspace]]:
        workspace_id = None if workspace is None else await accounts.workspace_id(workspace)
        found = await accounts.keys.list(_kind(admin=admin), accounts.organization_id, workspace_id)
        return found, await accounts.workspaces.list(accounts.organization_id)

    found, workspaces = with_accounts(settings_of(config, data_dir), work)
    shown = [key for key in found if ended or key.is_valid(now)]
    if as_json:
        echo_json(key_cards(shown, now))
        return
    owners = {one.id: one.name for one in workspaces}
    rows = [
        [
            key.name,
            key.hint,
            owners.get(key.owner_id, "all (admin)"),
            key.status(now),
            date(key.expires_at, "never"),
            ago(key.last_used_at, now),
            key.id,
        ]
        for key in shown
    ]
    echo_table(["NAME", "KEY", "WORKSPACE", "STATUS", "EXPIRES (UTC)", "LAST USED", "ID"], rows)


@keys.command()
@click.argument("name")
@database_options
@click.option("--workspace", metavar="ID|NAME", help="Whose key it is.  [default: the default workspace]")
@ADMIN
@EXPIRES
@JSON
def create(
    name: str,
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    expires: int | None,
    *,
    admin: bool,
    as_json: bool,
) -> None:
    """Make a key called NAME and show it, this once."""
    _refuse_workspace(workspace, admin=admin)

    async def work(accounts: Accounts) -> NewKey[Key]:
        if admin:
            return await accounts.keys.create_admin_key(accounts.organization_id, name, expires)
        workspace_id = await accounts.workspace_id(workspace)
        return await accounts.keys.create_api_key(accounts.organization_id, workspace_id, name, expires)

    _show(with_accounts(settings_of(config, data_dir), work), as_json=as_json)


@keys.command()
@KEY
@database_options
@WORKSPACE
@ADMIN
@click.option(
    "--grace",
    type=Span(),
    metavar="SPAN",
    default=DEFAULT_GRACE_SECONDS,
    help="How long the old key goes on: 12h, 7d, …; 0 revokes it at once.  [default: 24h]",
)
@EXPIRES
@JSON
def rotate(
    key: str,
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    grace: int,
    expires: int | None,
    *,
    admin: bool,
    as_json: bool,
) -> None:
    """Make a new key in the place of KEY and show it, this once.

    A key with an expiry is followed by one that lives as long, unless --expires says otherwise.
    """
    _refuse_workspace(workspace, admin=admin)

    async def work(accounts: Accounts) -> tuple[Key, NewKey[Key]]:
        old = await _find(accounts, key, workspace, admin=admin)
        new = await accounts.keys.rotate(
            type(old), accounts.organization_id, old.id, grace_seconds=grace, expires_at=expires
        )
        return await accounts.keys.get(type(old), accounts.organization_id, old.id), new

    old, new = with_accounts(settings_of(config, data_dir), work)
    _show(new, as_json=as_json)
    if not as_json:
        click.echo(
            f"The old key ({old.hint}) is revoked."
            if old.revoked_at is not None
            else f"The old key ({old.hint}) works until {date(old.expires_at)} UTC."
        )


@keys.command()
@KEY
@database_options
@WORKSPACE
@ADMIN
@JSON
def revoke(
    key: str,
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    *,
    admin: bool,
    as_json: bool,
) -> None:
    """End KEY at once. Its record and what it has used stay."""
    _refuse_workspace(workspace, admin=admin)

    async def work(accounts: Accounts) -> Key:
        found = await _find(accounts, key, workspace, admin=admin)
        return await accounts.keys.revoke(type(found), accounts.organization_id, found.id)

    ended = with_accounts(settings_of(config, data_dir), work)
    if as_json:
        echo_json(key_card(ended, time.time()))
    else:
        click.echo(f"The {ended.NOUN} {ended.name!r} ({ended.hint}) is revoked.")


def _kind(*, admin: bool) -> type[Key]:
    return AdminKey if admin else ApiKey


async def _find(accounts: Accounts, reference: str, workspace: str | None, *, admin: bool) -> Key:
    workspace_id = None if workspace is None else await accounts.workspace_id(workspace)
    return await accounts.keys.find(_kind(admin=admin), accounts.organization_id, reference, workspace_id)


def _refuse_workspace(workspace: str | None, *, admin: bool) -> None:
    if admin and workspace is not None:
        raise click.UsageError("An admin key belongs to no workspace: leave --workspace or --admin out.")


def _show(new: NewKey[Key], *, as_json: bool) -> None:
    if as_json:
        echo_json(new_key_card(new, time.time()))
        return
    ends = "" if new.record.expires_at is None else f", valid until {date(new.record.expires_at)} UTC"
    click.echo(f"The {new.record.NOUN} {new.record.name!r}{ends}:\n\n  {new.key}\n")
    click.echo("Keep it, for it is not shown again.")
