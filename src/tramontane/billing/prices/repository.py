"""The SQL of the operator's prices. The caller holds the transaction."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.core.money import Price
from tramontane.storage.tables import price_overrides
from tramontane.storage.upsert import insert

EVERY_WORKSPACE: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """The operator's price of a model, in a workspace or in `EVERY_WORKSPACE`, until the next one begins."""

    workspace_id: str
    model: str
    valid_from: int
    price: Price | None
    """None takes the one before back: the list rules again."""


async def list_overrides(connection: AsyncConnection) -> list[PriceOverride]:
    """All of them, also those that are past or yet to come, oldest first."""
    query = select(price_overrides).order_by(price_overrides.c.valid_from)
    return [_override(row) for row in (await connection.execute(query)).mappings()]


async def add_override(connection: AsyncConnection, override: PriceOverride) -> None:
    """Add it, or take the place of one that begins in the same second."""
    price = override.price
    figures = {
        "input_price": None if price is None else price.input,
        "cached_input_price": None if price is None else price.cached_input,
        "output_price": None if price is None else price.output,
    }
    statement = insert(price_overrides, connection.dialect.name).values(
        workspace_id=override.workspace_id, model=override.model, valid_from=override.valid_from, **figures
    )
    await connection.execute(
        statement.on_conflict_do_update(index_elements=list(price_overrides.primary_key), set_=figures)
    )


def _override(row: RowMapping) -> PriceOverride:
    figures = row["input_price"], row["cached_input_price"], row["output_price"]
    price = None if None in figures else Price(*figures)
    return PriceOverride(row["workspace_id"], row["model"], row["valid_from"], price)
