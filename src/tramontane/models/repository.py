"""The SQL of models that were added to a running server. The caller holds the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.storage.tables import added_models
from tramontane.storage.upsert import insert


@dataclass(frozen=True, slots=True)
class AddedModel:
    """A model that is served again after each start."""

    id: str
    settings: str
    """What was said of it, as JSON."""
    created_at: int


async def all_added(connection: AsyncConnection) -> Sequence[AddedModel]:
    """All of them, in the order in which they came."""
    query = select(added_models).order_by(added_models.c.created_at, added_models.c.id)
    return [AddedModel(**row) for row in (await connection.execute(query)).mappings()]


async def remember(connection: AsyncConnection, model: AddedModel) -> None:
    """Keep it, in the place of one of the same id."""
    values = {"id": model.id, "settings": model.settings, "created_at": model.created_at}
    statement = insert(added_models, connection.dialect.name).values(values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


async def forget(connection: AsyncConnection, model_id: str) -> None:
    """Keep it no longer."""
    await connection.execute(delete(added_models).where(added_models.c.id == model_id))
