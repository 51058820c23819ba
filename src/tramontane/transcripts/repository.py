"""The SQL of transcripts. The caller holds the transaction."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.storage.tables import transcripts
from tramontane.storage.upsert import insert
from tramontane.transcripts.entities import Transcript


async def add(connection: AsyncConnection, found: Sequence[Transcript]) -> None:
    """Add them; one that is there already stays as it is."""
    statement = insert(transcripts, connection.dialect.name).on_conflict_do_nothing()
    await connection.execute(statement, [_row(one) for one in found])


async def get(connection: AsyncConnection, organization_id: str, request_id: str) -> Transcript | None:
    """The text of a request of the organization, if it is kept."""
    query = select(transcripts).where(
        transcripts.c.request_id == request_id, transcripts.c.organization_id == organization_id
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        return None
    return Transcript(**{**row, "request": json.loads(row["request"]), "answers": json.loads(row["answers"])})


async def count(connection: AsyncConnection) -> int:
    """How many there are."""
    return await connection.scalar(select(func.count()).select_from(transcripts)) or 0


async def nth_newest(connection: AsyncConnection, number: int) -> int | None:
    """When the one after the `number` newest was made; None if there are not so many."""
    query = select(transcripts.c.created_at).order_by(transcripts.c.created_at.desc()).offset(number).limit(1)
    made_at: int | None = await connection.scalar(query)
    return made_at


async def oldest(connection: AsyncConnection) -> int | None:
    """When the oldest was made; None if there is none."""
    made_at: int | None = await connection.scalar(select(func.min(transcripts.c.created_at)))
    return made_at


async def remove(
    connection: AsyncConnection,
    *,
    until: int | None = None,
    workspace_id: str | None = None,
    request_id: str | None = None,
) -> int:
    """Delete those that all of what is given is true of; says how many there were."""
    conditions: list[ColumnElement[bool]] = []
    if until is not None:
        conditions.append(transcripts.c.created_at <= until)
    if workspace_id is not None:
        conditions.append(transcripts.c.workspace_id == workspace_id)
    if request_id is not None:
        conditions.append(transcripts.c.request_id == request_id)
    return (await connection.execute(delete(transcripts).where(*conditions))).rowcount


def _row(transcript: Transcript) -> dict[str, Any]:
    # ASCII: PostgreSQL has no NUL and no half surrogates in a text, as JSON escapes them.
    return {
        "request_id": transcript.request_id,
        "created_at": transcript.created_at,
        "organization_id": transcript.organization_id,
        "workspace_id": transcript.workspace_id,
        "request": json.dumps(transcript.request, separators=(",", ":"), default=str),
        "answers": json.dumps(transcript.answers, separators=(",", ":"), default=str),
    }
