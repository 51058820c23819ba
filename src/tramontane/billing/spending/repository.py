"""The SQL of spending limits. The caller holds the transaction."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.billing.spending.claims import Scope, Spending, SpendingLimit
from tramontane.core.money import ZERO
from tramontane.storage.tables import reservation_holders, reservations, spending, spending_limits
from tramontane.storage.upsert import insert


async def list_limits(connection: AsyncConnection) -> list[SpendingLimit]:
    """All of them."""
    rows = (await connection.execute(select(spending_limits))).mappings()
    return [SpendingLimit(Scope(row["scope"]), row["scope_id"], row["amount"]) for row in rows]


async def set_limit(connection: AsyncConnection, limit: SpendingLimit, now: int) -> None:
    """Set it, in place of the one that was there."""
    statement = insert(spending_limits, connection.dialect.name).values(
        scope=limit.scope, scope_id=limit.scope_id, amount=limit.amount, updated_at=now
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[spending_limits.c.scope_id],
            set_={"amount": statement.excluded.amount, "updated_at": statement.excluded.updated_at},
        )
    )


async def remove_limit(connection: AsyncConnection, scope_id: str) -> None:
    """From now on it may spend without limit."""
    await connection.execute(delete(spending_limits).where(spending_limits.c.scope_id == scope_id))


async def get_spending(connection: AsyncConnection, scope_id: str, month: date) -> Spending:
    """What it has spent in the month, and what is reserved."""
    query = select(spending).where(spending.c.scope_id == scope_id, spending.c.month == month)
    row = (await connection.execute(query)).mappings().first()
    return Spending(ZERO, ZERO) if row is None else Spending(row["spent"], row["reserved"])


def beat(connection: Connection, holder_id: str, count: int) -> None:
    """Show that the process lives: by a number that it has not shown before."""
    statement = insert(reservation_holders, connection.dialect.name).values(id=holder_id, beat=count)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[reservation_holders.c.id], set_={"beat": statement.excluded.beat}
        )
    )


async def holders(connection: AsyncConnection) -> Sequence[tuple[str, int | None]]:
    """Every process that holds reservations or has shown life, with its last beat if it has shown one."""
    rows = (await connection.execute(select(reservation_holders))).mappings()
    beats: dict[str, int] = {row["id"]: row["beat"] for row in rows}
    holding = await connection.scalars(select(reservations.c.holder_id).distinct())
    return [*beats.items(), *((holder, None) for holder in holding if holder not in beats)]


def remove_holder(connection: Connection, holder_id: str) -> None:
    """Forget a process that is no more."""
    connection.execute(delete(reservation_holders).where(reservation_holders.c.id == holder_id))
