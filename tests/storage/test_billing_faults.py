"""The ledger on a database that is locked, full or gone: nothing is lost, and nothing needs a restart."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager

import pytest

from tests.storage.test_billing import set_limit
from tests.support import databases
from tests.support.billing import audit, outcome, request, rows
from tramontane.billing.ledger import writer
from tramontane.billing.service import BillingService
from tramontane.core.clock import SystemClock
from tramontane.errors import LedgerUnavailableError, StorageError
from tramontane.storage import sqlite
from tramontane.storage.tables import ledger, reservations

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

AT_ONCE = 0.0
PATIENTLY = 60.0


class FailingDatabase:
    """A database that fails as often as it is told to, `before` or `after` it commits."""

    def __init__(self, database):
        self._database = database
        self.failures = 0
        self.after_commit = False

    def __getattr__(self, name):
        return getattr(self._database, name)

    async def write(self, work):
        fails = self.failures > 0
        self.failures -= fails
        if fails and not self.after_commit:
            raise StorageError("The database is gone")
        result = await self._database.write(work)
        if fails:
            raise StorageError("The database has not answered")
        return result


@pytest.fixture
def failing(database):
    return FailingDatabase(database)


@asynccontextmanager
async def billing_on(database, patience):
    # It beats once, before a test makes the database fail: the failures are for the ledger.
    billing = BillingService(database, SystemClock(), patience=patience, beat=3600)
    await billing.start()
    await asyncio.sleep(0)
    try:
        yield billing
    finally:
        await billing.close()


async def written(database, number):
    async with asyncio.timeout(60):
        while len(await rows(database, ledger)) < number:  # noqa: ASYNC110  what we wait for is in a database
            await asyncio.sleep(0.01)
    return await audit(database)


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_short_failure_costs_nobody_an_error_and_no_row(failing, database, after_commit):
    async with billing_on(failing, PATIENTLY) as billing:
        reserved = [await billing.reserve(request()) for _ in range(20)]
        failing.failures, failing.after_commit = 3, after_commit

        await asyncio.gather(*(billing.settle(one, outcome()) for one in reserved))

    assert len(await audit(database)) == 20


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_long_failure_is_told_and_the_row_is_written_later(failing, database, after_commit):
    async with billing_on(failing, AT_ONCE) as billing:
        reservation = await billing.reserve(request())
        failing.failures, failing.after_commit = 3, after_commit

        with pytest.raises(LedgerUnavailableError):
            await billing.settle(reservation, outcome())

        assert list(await written(database, 1)) == [reservation.request.request_id]


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_reservation_that_failed_holds_nothing_back(failing, database, after_commit):
    async with billing_on(failing, AT_ONCE) as billing:
        await set_limit(database, "0.008")
        failing.failures, failing.after_commit = 1, after_commit
        with pytest.raises(LedgerUnavailableError):
            await billing.reserve(request())

        await billing.settle(await billing.reserve(request()), outcome())

    assert await rows(database, reservations) == []
    await audit(database)


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_reservation_that_is_tried_again_is_held_back_once(failing, database, after_commit):
    async with billing_on(failing, PATIENTLY) as billing:
        await set_limit(database, "0.008")
        failing.failures, failing.after_commit = 2, after_commit

        reservation = await billing.reserve(request())

        assert len(await rows(database, reservations)) == 1
        await audit(database)
        await billing.settle(reservation, outcome())
    await audit(database)


async def test_a_ledger_that_is_full_of_unwritten_rows_lets_no_request_begin(failing, database, monkeypatch):
    monkeypatch.setattr(writer, "MAX_UNWRITTEN", 3)
    async with billing_on(failing, AT_ONCE) as billing:
        reserved = [await billing.reserve(request()) for _ in range(3)]
        failing.failures = 1_000_000
        results = await asyncio.gather(
            *(billing.settle(one, outcome()) for one in reserved), return_exceptions=True
        )

        assert [type(result) for result in results] == [LedgerUnavailableError] * 3
        with pytest.raises(LedgerUnavailableError):
            await billing.reserve(request())

        failing.failures = 0
        await written(database, 3)
        await billing.reserve(request())


async def test_what_cannot_be_written_for_itself_does_not_hold_up_the_rest(database, monkeypatch):
    original = writer.repository.write

    def refuse(connection, batch):
        if any(row.error_code == "poison" for row in batch.rows):
            raise ValueError("no database takes this")
        return original(connection, batch)

    monkeypatch.setattr(writer.repository, "write", refuse)
    async with billing_on(database, PATIENTLY) as billing:
        poisoned = asyncio.create_task(
            billing.settle(await billing.reserve(request()), outcome(error_code="poison"))
        )
        reserved = [await billing.reserve(request()) for _ in range(10)]

        await asyncio.gather(*(billing.settle(one, outcome()) for one in reserved))

        assert not poisoned.done()
        monkeypatch.setattr(writer.repository, "write", original)
        await poisoned
    assert len(await audit(database)) == 11


async def test_what_is_left_at_the_end_is_written_before_it(failing, database):
    async with billing_on(failing, AT_ONCE) as billing:
        reservation = await billing.reserve(request())
        failing.failures = 4
        with pytest.raises(LedgerUnavailableError):
            await billing.settle(reservation, outcome())

    assert len(await audit(database)) == 1


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_locked_file(place, monkeypatch):
    monkeypatch.setattr(sqlite, "_PRAGMAS", ("PRAGMA busy_timeout = 10", *sqlite._PRAGMAS[1:]))
    database = await place.open()
    async with billing_on(database, AT_ONCE) as billing:
        reservation = await billing.reserve(request())
        other = sqlite3.connect(place.data_dir / sqlite.FILE_NAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(LedgerUnavailableError):
            await billing.settle(reservation, outcome())
        other.execute("ROLLBACK")
        other.close()

        await written(database, 1)
    await database.close()


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_full_disk(place, monkeypatch):
    pragmas = sqlite._PRAGMAS
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*pragmas, "PRAGMA max_page_count = 60"))
    database = await place.open()
    async with billing_on(database, AT_ONCE) as billing:
        settled = 0
        with pytest.raises(LedgerUnavailableError):  # noqa: PT012  which of them fails depends on the schema
            while True:
                await billing.settle(await billing.reserve(request(metadata={"x": "y" * 4000})), outcome())
                settled += 1

        assert len(await audit(database)) == settled
        monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas)  # there is room again, for the next connection
        database._backend._writer._engine.dispose()  # there is room again
        await written(database, settled + 1)
    await database.close()


@pytest.mark.parametrize("kind", ["postgresql"])
async def test_a_server_that_cuts_its_connections(database, place):
    async with billing_on(database, PATIENTLY) as billing:

        async def work():
            for _ in range(30):
                await billing.settle(await billing.reserve(request()), outcome())

        workers = [asyncio.create_task(work()) for _ in range(8)]
        for _ in range(5):
            await asyncio.sleep(0.02)
            await databases.cut_connections(place.url)
        await asyncio.gather(*workers)

    assert len(await audit(database)) == 240
