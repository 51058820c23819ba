"""The SQL of the console: who is signed in, and what a request cost. The caller holds the transaction."""

from dataclasses import asdict, dataclass
from decimal import Decimal

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.accounts import member_repository
from tramontane.accounts.entities import Member
from tramontane.storage.listing import Listed, Part, listed, part_of
from tramontane.storage.tables import audit_log, console_links, console_sessions, ledger


@dataclass(frozen=True, slots=True)
class Bill:
    """What a request used and cost, in USD; None if it has no price."""

    prompt_tokens: int
    completion_tokens: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was done in the console."""

    id: str
    created_at: int
    organization_id: str
    member_id: str | None
    who: str
    action: str
    subject: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as the database has it."""

    seen_at: int
    expires_at: int
    member: Member | None
    """None: the operator."""


@dataclass(frozen=True, slots=True)
class Recent:
    """What a workspace has used of a model."""

    workspace_id: str
    model: str
    requests: int
    tokens: int
    """That count against limits: cached ones do not."""
    completion_tokens: int


async def add_link(connection: AsyncConnection, digest: str, expires_at: int) -> None:
    """Add a link that signs in once."""
    await connection.execute(insert(console_links).values(digest=digest, expires_at=expires_at))


async def spend_link(connection: AsyncConnection, digest: str, now: int) -> bool:
    """Take the link away; says whether it was there and young enough. Of two who try at once one succeeds."""
    result = await connection.execute(
        delete(console_links).where(console_links.c.digest == digest, console_links.c.expires_at > now)
    )
    return result.rowcount == 1


async def add_session(
    connection: AsyncConnection, digest: str, now: int, expires_at: int, member_id: str | None = None
) -> None:
    """Add it; without a member it is the operator's."""
    await connection.execute(
        insert(console_sessions).values(
            digest=digest, created_at=now, seen_at=now, expires_at=expires_at, member_id=member_id
        )
    )


async def get_session(connection: AsyncConnection, digest: str) -> OpenSession | None:
    """The session; None if there is none, or its member was removed."""
    row = (
        await connection.execute(select(console_sessions).where(console_sessions.c.digest == digest))
    ).first()
    if row is None:
        return None
    if row.member_id is None:
        return OpenSession(row.seen_at, row.expires_at, None)
    member = await member_repository.get_member(connection, row.member_id)
    return None if member is None else OpenSession(row.seen_at, row.expires_at, member)


async def note_seen(connection: AsyncConnection, digest: str, now: int) -> None:
    """It is in use."""
    await connection.execute(
        update(console_sessions).where(console_sessions.c.digest == digest).values(seen_at=now)
    )


async def end_session(connection: AsyncConnection, digest: str) -> None:
    """Sign out."""
    await connection.execute(delete(console_sessions).where(console_sessions.c.digest == digest))


async def end_all_sessions(connection: AsyncConnection) -> None:
    """Sign everybody out."""
    await connection.execute(delete(console_sessions))


async def remove_ended(connection: AsyncConnection, now: int, idle_since: int) -> None:
    """Forget links and sessions that are over."""
    await connection.execute(delete(console_links).where(console_links.c.expires_at <= now))
    await connection.execute(
        delete(console_sessions).where(
            (console_sessions.c.expires_at <= now) | (console_sessions.c.seen_at <= idle_since)
        )
    )


async def get_bill(connection: AsyncConnection, request_id: str, key_id: str) -> Bill | None:
    """What the ledger has of a request that came with this key."""
    columns = (ledger.c.prompt_tokens, ledger.c.completion_tokens, ledger.c.cost)
    query = select(*columns).where(ledger.c.request_id == request_id, ledger.c.key_id == key_id)
    row = (await connection.execute(query)).first()
    return None if row is None else Bill(row.prompt_tokens, row.completion_tokens, row.cost)


async def recent_use(connection: AsyncConnection, since: int) -> list[Recent]:
    """What has been used since then, by workspace and model that answered."""
    # Expressions: for bare columns SQLite walks through the whole index of workspaces.
    of = [func.coalesce(column, column) for column in (ledger.c.workspace_id, ledger.c.model_served)]
    used = ledger.c.prompt_tokens - ledger.c.cached_tokens + ledger.c.completion_tokens
    query = (
        select(*of, func.count(), func.sum(used), func.sum(ledger.c.completion_tokens))
        .where(ledger.c.created_at > since)
        .group_by(*of)
    )
    return [
        Recent(row[0], row[1], row[2], int(row[3]), int(row[4])) for row in await connection.execute(query)
    ]


async def add_change(connection: AsyncConnection, change: Change) -> None:
    """Add it to the log of changes."""
    await connection.execute(insert(audit_log).values(asdict(change)))


async def page_changes(connection: AsyncConnection, organization_id: str, part: Part) -> Listed[Change]:
    """A part of the log of changes."""
    query = part_of(
        select(audit_log).where(audit_log.c.organization_id == organization_id), audit_log.c.id, part
    )
    return listed([Change(**row) for row in (await connection.execute(query)).mappings()], part)
