"""The SQL of accounts: rows in, entities out. The caller holds the transaction."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, Table, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.accounts.entities import AdminKey, AnyKey, ApiKey, Key, Workspace
from tramontane.storage.listing import Listed, Part, listed, part_of
from tramontane.storage.tables import admin_keys, api_keys, organizations, workspaces

_TABLES: Final[Mapping[type[Key], Table]] = {ApiKey: api_keys, AdminKey: admin_keys}
_OWNERS: Final[Mapping[type[Key], str]] = {ApiKey: "workspace_id", AdminKey: "organization_id"}


async def add_organization(
    connection: AsyncConnection, organization_id: str, name: str, created_at: int
) -> bool:
    """Add it, unless another process was faster; says which."""
    try:
        async with connection.begin_nested():
            await connection.execute(
                insert(organizations).values(id=organization_id, name=name, created_at=created_at)
            )
    except IntegrityError:
        return False
    return True


async def add_workspace(connection: AsyncConnection, workspace: Workspace) -> bool:
    """Add it to its organization, which exists, unless the name is taken there; says which."""
    try:
        async with connection.begin_nested():
            await connection.execute(
                insert(workspaces).values(
                    id=workspace.id,
                    organization_id=workspace.organization_id,
                    name=workspace.name,
                    plan=workspace.plan,
                    created_at=workspace.created_at,
                    archived_at=workspace.archived_at,
                )
            )
    except IntegrityError:
        return False
    return True


async def get_workspace(
    connection: AsyncConnection, workspace_id: str, *, for_update: bool = False
) -> Workspace | None:
    """The workspace; with `for_update`, whoever asks for it in the same way waits for the commit."""
    query = select(workspaces).where(workspaces.c.id == workspace_id)
    row = (await connection.execute(query.with_for_update() if for_update else query)).mappings().first()
    return None if row is None else Workspace(**row)


async def list_workspaces(connection: AsyncConnection, organization_id: str) -> list[Workspace]:
    """The workspaces of the organization, the archived ones too, oldest first."""
    query = (
        select(workspaces).where(workspaces.c.organization_id == organization_id).order_by(workspaces.c.id)
    )
    return [Workspace(**row) for row in (await connection.execute(query)).mappings()]


async def page_workspaces(
    connection: AsyncConnection, organization_id: str, part: Part, *, archived: bool
) -> Listed[Workspace]:
    """A part of the same list; with `archived` the archived ones too."""
    query = select(workspaces).where(workspaces.c.organization_id == organization_id)
    if not archived:
        query = query.where(workspaces.c.archived_at.is_(None))
    rows = (await connection.execute(part_of(query, workspaces.c.id, part))).mappings()
    return listed([Workspace(**row) for row in rows], part)


async def change_workspace(
    connection: AsyncConnection, workspace_id: str, **values: str | int | None
) -> bool:
    """Change columns of the workspace, unless its new name is taken; says which."""
    try:
        async with connection.begin_nested():
            await connection.execute(
                update(workspaces).where(workspaces.c.id == workspace_id).values(**values)
            )
    except IntegrityError:
        return False
    return True


async def add_key(connection: AsyncConnection, key: Key) -> None:
    """Add it; its owner exists."""
    await connection.execute(
        insert(_TABLES[type(key)]).values(
            {
                "id": key.id,
                _OWNERS[type(key)]: key.owner_id,
                "name": key.name,
                "digest": key.digest,
                "hint": key.hint,
                "created_at": key.created_at,
                "expires_at": key.expires_at,
                "revoked_at": key.revoked_at,
                "last_used_at": key.last_used_at,
            }
        )
    )


async def list_keys(connection: AsyncConnection, kind: type[AnyKey], organization_id: str) -> list[AnyKey]:
    """The keys of the organization, the revoked and expired ones too, oldest first."""
    query = select(*_columns(kind)).where(_belongs_to(kind, organization_id)).order_by(_TABLES[kind].c.id)
    return [_key(kind, row) for row in (await connection.execute(query)).mappings()]


async def page_keys(
    connection: AsyncConnection,
    kind: type[AnyKey],
    organization_id: str,
    part: Part,
    workspace_ids: Collection[str] | None = None,
) -> Listed[AnyKey]:
    """A part of the same list; of API keys those of `workspace_ids` only, if they are given."""
    query = select(*_columns(kind)).where(_belongs_to(kind, organization_id))
    if workspace_ids is not None:
        query = query.where(api_keys.c.workspace_id.in_(workspace_ids))
    rows = (await connection.execute(part_of(query, _TABLES[kind].c.id, part))).mappings()
    return listed([_key(kind, row) for row in rows], part)


async def oldest_valid_key(connection: AsyncConnection, workspace_id: str, now: float) -> ApiKey | None:
    """The first of the workspace's API keys that opens it."""
    query = (
        select(*_columns(ApiKey))
        .where(api_keys.c.workspace_id == workspace_id, *_open_at(now))
        .order_by(api_keys.c.id)
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _key(ApiKey, row)


async def count_valid_keys(
    connection: AsyncConnection, workspace_ids: Collection[str], now: int
) -> dict[str, int]:
    """How many API keys of each workspace open something; without those that have none."""
    query = (
        select(api_keys.c.workspace_id, func.count())
        .where(
            api_keys.c.workspace_id.in_(workspace_ids),
            *_open_at(now),
        )
        .group_by(api_keys.c.workspace_id)
    )
    return {row[0]: row[1] for row in await connection.execute(query)}


async def key_names(connection: AsyncConnection, key_ids: Collection[str]) -> dict[str, str]:
    """Names of API keys by id."""
    query = select(api_keys.c.id, api_keys.c.name).where(api_keys.c.id.in_(key_ids))
    return {row[0]: row[1] for row in await connection.execute(query)}


async def get_key(
    connection: AsyncConnection,
    kind: type[AnyKey],
    organization_id: str,
    key_id: str,
    *,
    for_update: bool = False,
) -> AnyKey | None:
    """The key, if it is the organization's; with `for_update`, who asks alike waits for the commit."""
    query = select(*_columns(kind)).where(_TABLES[kind].c.id == key_id, _belongs_to(kind, organization_id))
    row = (await connection.execute(query.with_for_update() if for_update else query)).mappings().first()
    return None if row is None else _key(kind, row)


async def workspace_has_keys(connection: AsyncConnection, workspace_id: str) -> bool:
    """Whether any API key was ever made for the workspace."""
    query = select(api_keys.c.id).where(api_keys.c.workspace_id == workspace_id).limit(1)
    return (await connection.execute(query)).first() is not None


async def find_api_key(connection: AsyncConnection, digest: str) -> tuple[ApiKey, str] | None:
    """The API key with this digest, and the id of its organization; None if its workspace is archived."""
    query = (
        select(*_columns(ApiKey), workspaces.c.organization_id)
        .join_from(api_keys, workspaces)
        .where(api_keys.c.digest == digest, workspaces.c.archived_at.is_(None))
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else (_key(ApiKey, row), row["organization_id"])


async def find_admin_key(connection: AsyncConnection, digest: str) -> AdminKey | None:
    """The admin key with this digest."""
    query = select(*_columns(AdminKey)).where(admin_keys.c.digest == digest)
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _key(AdminKey, row)


async def end_key(
    connection: AsyncConnection, key: Key, *, expires_at: int | None, revoked_at: int | None
) -> None:
    """Set the times at which the key ends."""
    table = _TABLES[type(key)]
    await connection.execute(
        update(table).where(table.c.id == key.id).values(expires_at=expires_at, revoked_at=revoked_at)
    )


async def revoke_keys_of_workspace(connection: AsyncConnection, workspace_id: str, revoked_at: int) -> None:
    """Revoke every API key of the workspace that is not revoked yet."""
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.workspace_id == workspace_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=revoked_at)
    )


async def note_uses(connection: AsyncConnection, kind: type[Key], used_at: Mapping[str, int]) -> None:
    """Set the last use of keys by id. A later one, which another process has noted, stays.

    The rows are locked in the order of the ids, so that two processes cannot wait for each other.
    """
    table = _TABLES[kind]
    is_news = or_(table.c.last_used_at.is_(None), table.c.last_used_at < bindparam("used_at"))
    await connection.execute(
        update(table)
        .where(table.c.id == bindparam("key_id"), is_news)
        .values(last_used_at=bindparam("used_at")),
        [{"key_id": key_id, "used_at": used_at[key_id]} for key_id in sorted(used_at)],
    )


def _columns(kind: type[Key]) -> list[ColumnElement[Any]]:
    """The columns of the kind's table, by the names of the entity's fields."""
    owner = _OWNERS[kind]
    return [column.label("owner_id") if column.name == owner else column for column in _TABLES[kind].columns]


def _open_at(now: float) -> tuple[ColumnElement[bool], ...]:
    is_not_over = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now)
    return api_keys.c.revoked_at.is_(None), is_not_over


def _belongs_to(kind: type[Key], organization_id: str) -> ColumnElement[bool]:
    if kind is ApiKey:
        its_workspaces = select(workspaces.c.id).where(workspaces.c.organization_id == organization_id)
        return api_keys.c.workspace_id.in_(its_workspaces)
    return admin_keys.c.organization_id == organization_id


def _key(kind: type[AnyKey], row: RowMapping) -> AnyKey:
    return kind(**{field.name: row[field.name] for field in fields(kind)})
