"""The SQL of members. The caller holds the transaction."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import RowMapping, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.accounts.entities import Member, Role
from tramontane.storage.listing import Listed, Part, listed, part_of
from tramontane.storage.tables import console_sessions, member_invitations, member_workspaces, members

_PRESENT: Final = members.c.removed_at.is_(None)


async def add_member(connection: AsyncConnection, member: Member) -> bool:
    """Add them, unless the address is taken; says which."""
    values = {
        "id": member.id,
        "organization_id": member.organization_id,
        "email": member.email,
        "name": member.name,
        "role": member.role.value,
        "created_at": member.created_at,
    }
    try:
        async with connection.begin_nested():
            await connection.execute(insert(members).values(values))
    except IntegrityError:
        return False
    return True


async def get_member(
    connection: AsyncConnection, member_id: str, *, for_update: bool = False
) -> Member | None:
    """The member, unless removed; with `for_update`, who asks alike waits for the commit."""
    query = _members().where(members.c.id == member_id)
    row = (await connection.execute(query.with_for_update() if for_update else query)).mappings().first()
    return None if row is None else (await _with_workspaces(connection, [row]))[0]


async def has_members(connection: AsyncConnection) -> bool:
    """Whether there is any."""
    return (await connection.execute(_members().limit(1))).first() is not None


async def list_members(connection: AsyncConnection, organization_id: str) -> list[Member]:
    """Those of the organization that are not removed, oldest first."""
    query = _members().where(members.c.organization_id == organization_id).order_by(members.c.id)
    return await _with_workspaces(connection, (await connection.execute(query)).mappings().all())


async def page_members(connection: AsyncConnection, organization_id: str, part: Part) -> Listed[Member]:
    """A part of the same list."""
    query = part_of(_members().where(members.c.organization_id == organization_id), members.c.id, part)
    rows = (await connection.execute(query)).mappings().all()
    return listed(await _with_workspaces(connection, rows), part)


async def find_password(connection: AsyncConnection, email: str) -> tuple[Member, str | None] | None:
    """The member with this address, and what is stored of the password."""
    row = (await connection.execute(_members().where(members.c.email == email))).mappings().first()
    return None if row is None else ((await _with_workspaces(connection, [row]))[0], row["password"])


async def change_member(connection: AsyncConnection, member: Member) -> None:
    """Set the name and the role."""
    await connection.execute(
        update(members).where(members.c.id == member.id).values(name=member.name, role=member.role.value)
    )


async def set_workspaces(connection: AsyncConnection, member_id: str, workspace_ids: Collection[str]) -> None:
    """Put these in the place of those that are there."""
    await connection.execute(delete(member_workspaces).where(member_workspaces.c.member_id == member_id))
    if workspace_ids:
        rows = [{"member_id": member_id, "workspace_id": one} for one in sorted(set(workspace_ids))]
        await connection.execute(insert(member_workspaces), rows)


async def set_password(connection: AsyncConnection, member_id: str, stored: str | None) -> None:
    """Set what is stored of the password."""
    await connection.execute(update(members).where(members.c.id == member_id).values(password=stored))


async def note_sign_in(connection: AsyncConnection, member_id: str, now: int) -> None:
    """They have signed in."""
    await connection.execute(update(members).where(members.c.id == member_id).values(signed_in_at=now))


async def remove_member(connection: AsyncConnection, member_id: str, now: int) -> None:
    """End everything that lets them in."""
    await end_sessions(connection, member_id)
    await end_invitations(connection, member_id)
    await connection.execute(delete(member_workspaces).where(member_workspaces.c.member_id == member_id))
    await connection.execute(
        update(members).where(members.c.id == member_id).values(removed_at=now, password=None)
    )


async def end_sessions(connection: AsyncConnection, member_id: str) -> None:
    """Sign them out everywhere."""
    await connection.execute(delete(console_sessions).where(console_sessions.c.member_id == member_id))


async def add_invitation(connection: AsyncConnection, digest: str, member_id: str, expires_at: int) -> None:
    """Add it."""
    values = {"digest": digest, "member_id": member_id, "expires_at": expires_at}
    await connection.execute(insert(member_invitations).values(values))


async def end_invitations(connection: AsyncConnection, member_id: str) -> None:
    """Delete those of the member."""
    await connection.execute(delete(member_invitations).where(member_invitations.c.member_id == member_id))


async def invited(connection: AsyncConnection, digest: str, now: int) -> Member | None:
    """Whose invitation it is, if it is young enough."""
    query = (
        _members()
        .join(member_invitations, member_invitations.c.member_id == members.c.id)
        .where(member_invitations.c.digest == digest, member_invitations.c.expires_at > now)
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else (await _with_workspaces(connection, [row]))[0]


async def spend_invitation(connection: AsyncConnection, digest: str) -> bool:
    """Take it away; of two who try at once one succeeds."""
    result = await connection.execute(delete(member_invitations).where(member_invitations.c.digest == digest))
    return result.rowcount == 1


def _members() -> Select[Any]:
    return select(members).where(_PRESENT)


async def _with_workspaces(connection: AsyncConnection, rows: Collection[RowMapping]) -> list[Member]:
    query = select(member_workspaces).where(member_workspaces.c.member_id.in_([row["id"] for row in rows]))
    found: dict[str, set[str]] = {row["id"]: set() for row in rows}
    for row in (await connection.execute(query)).mappings():
        found[row["member_id"]].add(row["workspace_id"])
    return [
        Member(
            id=row["id"],
            organization_id=row["organization_id"],
            email=row["email"],
            name=row["name"],
            role=Role(row["role"]),
            created_at=row["created_at"],
            signed_in_at=row["signed_in_at"],
            has_password=row["password"] is not None,
            workspace_ids=frozenset(found[row["id"]]),
        )
        for row in rows
    ]
