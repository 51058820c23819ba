"""What only PostgreSQL does: its server goes, comes back, and refuses."""

import asyncio
import socket

import asyncpg
import pytest

from tests.support.databases import Place, cut_connections, url_of
from tests.support.waiting import eventually
from tramontane.errors import ConfigurationError, StorageError
from tramontane.storage import listening
from tramontane.storage.tables import organizations

pytestmark = [pytest.mark.anyio, pytest.mark.fault]


@pytest.fixture
def kind():
    return "postgresql"


async def organization_count(database):
    async with database.snapshot() as connection:
        return len((await connection.execute(organizations.select())).all())


async def add_organization(database, number, *, announces=False):
    async with database.transaction(announces=announces) as connection:
        await connection.execute(organizations.insert().values(id=f"{number:032x}", name="One", created_at=1))


async def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    place = Place(tmp_path, f"postgresql://someone:hidden@127.0.0.1:{port}/accounts")

    with pytest.raises(StorageError, match=r"127\.0\.0\.1.*cannot be reached .*see whether") as raised:
        await place.open()
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("url", ["postgresql://[broken", "postgresql://127.0.0.1/x?sslmode=perhaps"])
async def test_a_url_that_means_nothing_names_the_setting(tmp_path, url):
    with pytest.raises(ConfigurationError, match="TRAMONTANE_DATABASE_URL"):
        await Place(tmp_path, url).open()


async def test_a_database_that_is_not_there_is_told(tmp_path, postgresql):
    with pytest.raises(StorageError, match=r"cannot be opened .*does not exist.*create it"):
        await Place(tmp_path, url_of("tramontane_test_nowhere")).open()


async def test_a_database_that_takes_no_writes_is_told(database):
    async def write_to_a_standby():
        async with database.transaction() as connection:
            await connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            await connection.execute(organizations.insert().values(id="0" * 32, name="One", created_at=1))

    with pytest.raises(StorageError, match="is read-only, perhaps a standby"):
        await write_to_a_standby()


async def test_lost_connections_are_got_over_and_nothing_committed_is_lost(database, place):
    await add_organization(database, 1)

    for number in range(2, 5):
        await cut_connections(place.url)
        await add_organization(database, number)

    assert await organization_count(database) == 4


async def test_a_connection_that_is_lost_within_a_transaction_is_a_clear_error_and_leaves_nothing(
    database, place
):
    async def add_and_lose():
        async with database.transaction() as connection:
            await connection.execute(organizations.insert().values(id="0" * 32, name="One", created_at=1))
            await cut_connections(place.url)
            await connection.execute(organizations.select())

    with pytest.raises(StorageError, match="cannot be reached"):
        await add_and_lose()
    assert await organization_count(database) == 0


class TestRevision:
    async def test_it_is_heard_of_by_a_connection_that_came_back(self, database, place):
        other = await place.open()
        await cut_connections(place.url)
        await eventually(lambda: other.revision < 0)
        await eventually(lambda: other.revision >= 0)
        before = other.revision

        await add_organization(database, 1, announces=True)

        await eventually(lambda: other.revision > before)
        await other.close()

    async def test_an_announcement_of_our_own_counts_once(self, database, place):
        other = await place.open()
        heard = other.revision
        await add_organization(database, 1, announces=True)
        counted = database.revision
        await eventually(lambda: other.revision != heard)  # by then it has come back to us as well
        async with database.transaction() as connection:
            await connection.exec_driver_sql("SELECT 1")

        assert database.revision == counted
        await other.close()

    async def test_what_was_missed_meanwhile_is_made_up_for(self, database, place, monkeypatch):
        other = await place.open()
        before = other.revision
        connected = asyncio.Event()
        connect = listening.ListeningChanges._listen

        async def listen_later(self, attempted):
            await connected.wait()
            await connect(self, attempted)

        monkeypatch.setattr(listening.ListeningChanges, "_listen", listen_later)
        await cut_connections(place.url)
        await eventually(lambda: other.revision < 0)
        await add_organization(database, 1, announces=True)
        connected.set()

        await eventually(lambda: other.revision >= 0)
        assert other.revision != before
        await other.close()

    async def test_a_pooler_that_delivers_nothing_is_noticed(self, place, monkeypatch, caplog):
        monkeypatch.setattr(listening, "_PATIENCE_SECONDS", 0.2)
        monkeypatch.setattr(asyncpg.Connection, "add_listener", takes_no_heed)

        database = await place.open()

        assert database.revision < 0
        assert "it must pool sessions, not transactions" in caplog.text
        await database.close()


async def takes_no_heed(_connection, _channel, _callback):
    """Of `LISTEN`."""
