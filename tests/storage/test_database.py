import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tramontane.errors import ConfigurationError, StorageError
from tramontane.storage import migrations, sqlite
from tramontane.storage.database import FILE_NAME, Database
from tramontane.storage.tables import metadata, organizations, workspaces

pytestmark = pytest.mark.anyio


async def test_the_folder_and_its_files_are_the_owners_alone(tmp_path):
    data_dir = tmp_path / "a" / "b"
    database = await Database.open(data_dir)
    async with database.transaction() as connection:
        await connection.exec_driver_sql("CREATE TABLE anything (x)")
    files = list(data_dir.iterdir())
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files}
    await database.close()

    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    suffixes = {path.suffix for path in files}
    assert suffixes == {".db", ".db-wal", ".db-shm", ".lock"}  # the write-ahead log and its index
    assert modes == {0o600}


async def test_a_path_with_the_characters_of_urls_is_a_path(tmp_path):
    data_dir = tmp_path / "a?b#c%20d"
    await (await Database.open(data_dir)).close()

    assert (data_dir / FILE_NAME).exists()


async def test_the_migrations_make_the_tables_of_the_code(database):
    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []


def test_head_is_the_last_migration():
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])

    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_a_start_with_nothing_to_migrate_does_not_load_alembic(tmp_path):
    opening = (
        "import asyncio, pathlib, sys; from tramontane.storage.database import Database\n"
        "async def main(): await (await Database.open(pathlib.Path(sys.argv[1]))).close()\n"
        "asyncio.run(main()); print('alembic' in sys.modules)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", opening, tmp_path], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]

    assert said == ["True", "False"]


async def test_what_is_committed_is_there_after_reopening(tmp_path):
    database = await Database.open(tmp_path)
    async with database.transaction() as connection:
        await connection.execute(organizations.insert().values(id="0" * 32, name="One", created_at=1))
    await database.close()

    database = await Database.open(tmp_path)
    async with database.snapshot() as connection:
        names = (await connection.execute(organizations.select())).mappings().all()
    await database.close()
    assert [row["name"] for row in names] == ["One"]


async def test_a_transaction_that_raises_leaves_nothing(database):
    async def add_and_fail():
        async with database.transaction() as connection:
            await connection.execute(organizations.insert().values(id="0" * 32, name="One", created_at=1))
            raise KeyError

    with pytest.raises(KeyError):
        await add_and_fail()

    async with database.snapshot() as connection:
        assert (await connection.execute(organizations.select())).first() is None


async def test_a_reader_does_not_wait_for_a_writer_and_sees_what_was_committed(database):
    async with database.transaction() as writer:
        await writer.execute(organizations.insert().values(id="0" * 32, name="One", created_at=1))
        async with database.snapshot() as reader:
            assert (await reader.execute(organizations.select())).first() is None


async def test_writers_that_read_first_wait_for_each_other(database):
    async def count_up():
        async with database.transaction() as connection:
            count = len((await connection.execute(organizations.select())).all())
            await asyncio.sleep(0.01)
            await connection.execute(
                organizations.insert().values(id=f"{count:032x}", name=str(count), created_at=1)
            )

    await asyncio.gather(*(count_up() for _ in range(8)))

    async with database.snapshot() as connection:
        assert len((await connection.execute(organizations.select())).all()) == 8


async def test_foreign_keys_are_enforced(database):
    with pytest.raises(StorageError, match="FOREIGN KEY"):
        async with database.transaction() as connection:
            await connection.execute(
                workspaces.insert().values(
                    id="1" * 32, organization_id="2" * 32, name="One", plan="experiment", created_at=1
                )
            )


async def test_a_newer_releases_database_is_left_alone(tmp_path):
    await (await Database.open(tmp_path)).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(StorageError, match=r"newer release of Tramontane \(schema 9999.*upgrade Tramontane"):
        await Database.open(tmp_path)


async def test_another_programs_database_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()

    with pytest.raises(StorageError, match="belongs to another program"):
        await Database.open(tmp_path)


async def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)

    with pytest.raises(StorageError, match="is no database: move it away"):
        await Database.open(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes().startswith(b"not a database")


async def test_a_database_that_is_locked_for_too_long_says_so(tmp_path, monkeypatch):
    await (await Database.open(tmp_path)).close()
    monkeypatch.setattr(sqlite, "_PRAGMAS", ("PRAGMA busy_timeout = 10",))
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StorageError, match="locked by another process"):
        await Database.open(tmp_path)
    other.close()


async def test_a_data_folder_that_cannot_be_made_names_the_option(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match=r"--data-dir: cannot write in .*file"):
        await Database.open(tmp_path / "file" / "data")


async def test_processes_that_start_at_once_make_one_database(tmp_path):
    errors = []

    def start():
        async def open_and_close():
            await (await Database.open(tmp_path)).close()

        try:
            asyncio.run(open_and_close())
        except StorageError as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
