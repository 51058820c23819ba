"""The SQL of accounts: rows in, entities out. The caller holds the transaction."""

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.accounts.entities import ApiKey, Workspace
from tramontane.storage.tables import api_keys, organizations, workspaces


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


async def add_workspace(connection: AsyncConnection, workspace: Workspace) -> None:
    """Add it; its organization exists."""
    await connection.execute(
        insert(workspaces).values(
            id=workspace.id,
            organization_id=workspace.organization_id,
            name=workspace.name,
            plan=workspace.plan,
            created_at=workspace.created_at,
        )
    )


async def get_workspace(
    connection: AsyncConnection, workspace_id: str, *, for_update: bool = False
) -> Workspace | None:
    """The workspace; with `for_update`, whoever asks for it in the same way waits for the commit."""
    query = select(workspaces).where(workspaces.c.id == workspace_id)
    row = (await connection.execute(query.with_for_update() if for_update else query)).mappings().first()
    return None if row is None else Workspace(**row)


async def set_plan(connection: AsyncConnection, workspace_id: str, plan: str) -> None:
    """Move the workspace to another plan."""
    await connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(plan=plan))


async def add_key(connection: AsyncConnection, key: ApiKey) -> None:
    """Add it; its workspace exists."""
    await connection.execute(
        insert(api_keys).values(
            id=key.id,
            workspace_id=key.workspace_id,
            name=key.name,
            digest=key.digest,
            hint=key.hint,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )
    )


async def list_keys(connection: AsyncConnection, workspace_id: str) -> list[ApiKey]:
    """The keys of the workspace, the revoked and expired ones too, oldest first."""
    query = select(api_keys).where(api_keys.c.workspace_id == workspace_id).order_by(api_keys.c.id)
    return [_key(row) for row in (await connection.execute(query)).mappings()]


async def get_key(connection: AsyncConnection, digest: str) -> tuple[ApiKey, str] | None:
    """The key with this digest, and the id of its organization."""
    query = (
        select(api_keys, workspaces.c.organization_id)
        .join_from(api_keys, workspaces)
        .where(api_keys.c.digest == digest)
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else (_key(row), row["organization_id"])


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(**{column.name: row[column] for column in api_keys.columns})
