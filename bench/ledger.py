"""`python -m bench.ledger`: how many requests a second can be billed, beside bare commits of one row each.

`--postgresql URL` measures that server too, in the tables of an empty database of yours.
"""

import argparse
import asyncio
import os
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import asyncpg

from tramontane.billing.entities import BillableRequest, Endpoint, Outcome, Status
from tramontane.billing.service import BillingService
from tramontane.billing.spending import repository
from tramontane.billing.spending.claims import Scope, SpendingLimit
from tramontane.core.clock import SystemClock
from tramontane.core.principal import Principal
from tramontane.core.usage import Usage
from tramontane.storage.database import Database

CONCURRENT = (1, 16, 256)
PRINCIPAL = Principal(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
BARE_ROWS = 300
_CREATE = "CREATE TABLE bare (id text PRIMARY KEY, numbers text)"
_NUMBERS = "0123456789" * 20


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one database and one number of requests side by side."""

    name: str
    concurrent: int
    settled: float
    """Rows a second."""
    under_a_limit: float
    """The same with a reservation before each: two writes a request."""
    bare: float
    """Rows a second of a loop that commits one small row at a time, straight on the driver."""
    cpu: float
    """Seconds of this process's CPU a settled row."""


async def measure(
    name: str, place: tuple[Path, str | None], bare: Callable[[], Awaitable[float]]
) -> list[Figures]:
    """Every figure of one database."""
    database = await Database.open(*place)
    billing = BillingService(database, SystemClock())
    await billing.start()
    bare_rows = await bare()
    await _settle(billing, 256, 2000)  # warm
    settled = [await _settle(billing, concurrent, _rows(concurrent)) for concurrent in CONCURRENT]
    async with database.transaction(announces=True) as connection:
        limit = SpendingLimit(Scope.WORKSPACE, PRINCIPAL.workspace_id, Decimal(1_000_000))
        await repository.set_limit(connection, limit, int(time.time()))
    limited = [await _settle(billing, concurrent, _rows(concurrent)) for concurrent in CONCURRENT]
    await billing.close()
    await database.close()
    return [
        Figures(name, concurrent, rows, limited_rows, bare_rows, cpu)
        for concurrent, (rows, cpu), (limited_rows, _) in zip(CONCURRENT, settled, limited, strict=True)
    ]


async def _settle(billing: BillingService, concurrent: int, rows: int) -> tuple[float, float]:
    """Rows a second, and seconds of CPU a row."""

    async def work() -> None:
        for _ in range(rows // concurrent):
            reservation = await billing.reserve(_request())
            await billing.settle(reservation, Outcome(Status.OK, Usage(1000, 200, 100), 1.5, 0.1))

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(concurrent)))
    return rows / (time.perf_counter() - started), (time.process_time() - cpu) / rows


def _rows(concurrent: int) -> int:
    return {1: 500, 16: 4000}.get(concurrent, 20_480)


def _request() -> BillableRequest:
    return BillableRequest(
        request_id=uuid.uuid4().hex,
        principal=PRINCIPAL,
        endpoint=Endpoint.CHAT,
        stream=True,
        model_asked="mistral-large-latest",
        model_served="smollm2-135m-instruct",
        max_prompt_tokens=1000,
        max_completion_tokens=500,
        created=int(time.time()),
    )


async def _bare_sqlite(path: Path) -> float:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(_CREATE)
        started = time.perf_counter()
        for _ in range(BARE_ROWS):
            connection.execute("INSERT INTO bare VALUES (?, ?)", (uuid.uuid4().hex, _NUMBERS))
        return BARE_ROWS / (time.perf_counter() - started)


async def _bare_postgresql(url: str) -> float:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_CREATE)
        started = time.perf_counter()
        for _ in range(BARE_ROWS):
            await connection.execute("INSERT INTO bare VALUES ($1, $2)", uuid.uuid4().hex, _NUMBERS)
        return BARE_ROWS / (time.perf_counter() - started)
    finally:
        await connection.execute("DROP TABLE bare")
        await connection.close()


def render(figures: Sequence[Figures]) -> str:
    """A table in Markdown."""
    columns = [
        "database",
        "side by side",
        "settled/s",
        "under a limit/s",
        "bare/s",
        "settled ÷ bare",
        "CPU a row",
    ]
    lines = [columns, ["---"] * len(columns), *map(_cells, figures)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(one: Figures) -> list[str]:
    return [
        one.name,
        str(one.concurrent),
        f"{one.settled:,.0f}",
        f"{one.under_a_limit:,.0f}",
        f"{one.bare:,.0f}",
        f"{one.settled / one.bare:.1f}",
        f"{one.cpu * 1e6:.0f} µs",
    ]


async def _measure_all(url: str | None) -> list[Figures]:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        figures = await measure("SQLite", (data_dir, None), lambda: _bare_sqlite(data_dir / "bare.db"))
        if url is not None:
            figures += await measure("PostgreSQL", (data_dir, url), lambda: _bare_postgresql(url))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgresql", metavar="URL", help="an empty database")
    url = parser.parse_args().postgresql
    print(f"{os.cpu_count()} cores\n\n{render(asyncio.run(_measure_all(url)))}")


if __name__ == "__main__":
    main()
