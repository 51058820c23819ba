"""What SQLite's driver is given straight comes back as SQLAlchemy would have it."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from tests.support.billing import ORGANIZATION, WORKSPACE
from tramontane.storage.driver_statement import DriverStatement
from tramontane.storage.tables import spending
from tramontane.storage.upsert import insert

pytestmark = pytest.mark.anyio

ROWS = [
    {
        "scope_id": WORKSPACE,
        "month": date(2026, 11, 1),
        "spent": Decimal("0.000000001"),
        "reserved": Decimal(0),
    },
    {"scope_id": ORGANIZATION, "month": date(2026, 12, 1), "spent": Decimal(12), "reserved": Decimal("1.5")},
]


async def write(database, rows):
    def work(connection):
        statement = DriverStatement(
            insert(spending, connection.dialect.name).on_conflict_do_nothing(), list(spending.columns)
        )
        return statement.execute(connection, rows)

    return await database.write(work)


async def test_values_are_stored_and_returned_in_their_types(database):
    returned = await write(database, ROWS)

    async with database.snapshot() as connection:
        stored = [dict(row) for row in (await connection.execute(select(spending))).mappings()]
    assert sorted(returned) == sorted(tuple(row.values()) for row in ROWS)
    assert sorted(stored, key=str) == sorted(ROWS, key=str)


async def test_a_row_that_is_there_returns_nothing(database):
    await write(database, ROWS[:1])

    assert await write(database, ROWS) == [tuple(ROWS[1].values())]
