"""What both databases do alike."""

import asyncio
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tests.support.waiting import eventually
from tramontane.errors import StorageError
from tramontane.storage import migrations
from tramontane.storage.tables import metadata, organizations, workspaces

pytestmark = pytest.mark.anyio

OPEN_AND_CLOSE = """
import asyncio, pathlib, sys
from tramontane.storage.database import Database
async def main(): await (await Database.open(pathlib.Path(sys.argv[1]), *sys.argv[2:])).close()
asyncio.run(main())
"""


async def add_organization(database, number=0, *, announces=False):
    async with database.transaction(announces=announces) as connection:
        await connection.execute(
            organizations.insert().values(id=f"{number:032x}", name=str(number), created_at=1)
        )


async def organization_names(database):
    async with database.snapshot() as connection:
        return [row["name"] for row in (await connection.execute(organizations.select())).mappings()]


async def test_the_migrations_make_the_tables_of_the_code(database):
    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []


def test_head_is_the_last_migration():
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])

    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


@pytest.mark.process
def test_processes_that_migrate_at_once_make_one_database(new_place):
    url = [] if new_place.url is None else [new_place.url]
    command = [sys.executable, "-c", OPEN_AND_CLOSE, new_place.data_dir, *url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]

    assert [process.communicate(timeout=240)[1] for process in processes] == [""] * 4


async def test_what_is_committed_is_there_after_reopening(place):
    database = await place.open()
    await add_organization(database)
    await database.close()

    database = await place.open()
    assert await organization_names(database) == ["0"]
    await database.close()


async def test_a_transaction_that_raises_leaves_nothing(database):
    async def add_and_fail():
        async with database.transaction() as connection:
            await connection.execute(organizations.insert().values(id="0" * 32, name="One", created_at=1))
            raise KeyError

    with pytest.raises(KeyError):
        await add_and_fail()

    assert await organization_names(database) == []


async def test_a_reader_does_not_wait_for_a_writer_and_sees_what_was_committed(database):
    async with database.transaction() as writer:
        await writer.execute(organizations.insert().values(id="0" * 32, name="One", created_at=1))
        assert await organization_names(database) == []


async def test_a_reader_sees_one_state_and_cannot_write(database):
    async with database.snapshot() as reader:
        before = (await reader.execute(organizations.select())).all()
        await add_organization(database)
        assert (await reader.execute(organizations.select())).all() == before


async def test_writers_that_read_for_update_first_wait_for_each_other(database):
    await add_organization(database)

    async def count_up():
        async with database.transaction() as connection:
            row = (await connection.execute(organizations.select().with_for_update())).one()
            await asyncio.sleep(0.01)
            await connection.execute(organizations.update().values(created_at=row.created_at + 1))

    await asyncio.gather(*(count_up() for _ in range(8)))

    async with database.snapshot() as connection:
        assert (await connection.execute(organizations.select())).one().created_at == 1 + 8


async def test_foreign_keys_are_enforced(database):
    with pytest.raises(StorageError, match=r"FOREIGN KEY|violates foreign key"):
        async with database.transaction() as connection:
            await connection.execute(
                workspaces.insert().values(
                    id="1" * 32, organization_id="2" * 32, name="One", plan="experiment", created_at=1
                )
            )


async def test_a_newer_releases_database_is_left_alone(place):
    database = await place.open()
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()

    with pytest.raises(StorageError, match=r"newer release of Tramontane \(schema 9999.*upgrade Tramontane"):
        await place.open()


async def test_another_programs_database_is_left_alone(place):
    database = await place.open()
    async with database.transaction() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
    await database.close()

    with pytest.raises(StorageError, match="belongs to another program"):
        await place.open()


class TestRevision:
    async def test_it_stays_while_nothing_is_announced(self, database):
        before = database.revision
        await add_organization(database)

        assert database.revision == before

    async def test_it_is_another_one_after_each_announcement(self, database):
        seen = [database.revision]
        for number in range(5):
            await add_organization(database, number, announces=True)
            seen.append(database.revision)

        assert len(set(seen)) == 6

    async def test_others_with_the_same_database_see_the_change_too(self, database, place):
        other = await place.open()
        before = other.revision

        await add_organization(database, announces=True)

        await eventually(lambda: other.revision != before)
        assert await organization_names(other) == ["0"]
        await other.close()

    async def test_what_was_rolled_back_is_not_announced(self, database, place):
        other = await place.open()
        before = (database.revision, other.revision)

        with pytest.raises(KeyError):
            async with database.transaction(announces=True):
                raise KeyError

        assert (database.revision, other.revision) == before
        await other.close()
