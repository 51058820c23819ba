"""What only SQLite does: its files, and another process that holds on to them."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

from tramontane.errors import ConfigurationError, StorageError
from tramontane.storage import sqlite
from tramontane.storage.database import Database
from tramontane.storage.sqlite import FILE_NAME
from tramontane.storage.tables import organizations

pytestmark = [pytest.mark.anyio, pytest.mark.fault]


async def test_the_folder_and_its_files_are_the_owners_alone(tmp_path):
    data_dir = tmp_path / "a" / "b"
    database = await Database.open(data_dir)
    async with database.transaction(announces=True) as connection:
        await connection.exec_driver_sql("CREATE TABLE anything (x)")
    files = list(data_dir.iterdir())
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files}
    await database.close()

    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    suffixes = {path.suffix for path in files}
    # the write-ahead log and its index, the lock of first starts, the count of changes
    assert suffixes == {".db", ".db-wal", ".db-shm", ".lock", ".db-changes"}
    assert modes == {0o600}


async def test_a_path_with_the_characters_of_urls_is_a_path(tmp_path):
    data_dir = tmp_path / "a?b#c%20d"
    await (await Database.open(data_dir)).close()

    assert (data_dir / FILE_NAME).exists()


def test_a_start_with_nothing_to_migrate_loads_neither_alembic_nor_the_driver_of_postgresql(tmp_path):
    opening = (
        "import asyncio, pathlib, sys; from tramontane.storage.database import Database\n"
        "async def main(): await (await Database.open(pathlib.Path(sys.argv[1]))).close()\n"
        "asyncio.run(main()); print({'alembic', 'asyncpg'} & sys.modules.keys())"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", opening, tmp_path], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]

    assert said == ["{'alembic'}", "set()"]


async def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)

    with pytest.raises(StorageError, match="is no database: move it away"):
        await Database.open(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes().startswith(b"not a database")


async def test_a_database_that_is_locked_for_too_long_says_so_and_works_when_it_is_free_again(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sqlite, "_PRAGMAS", ("PRAGMA busy_timeout = 10", "PRAGMA journal_mode = WAL"))
    database = await Database.open(tmp_path)
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def add():
        async with database.transaction() as connection:
            await connection.execute(organizations.insert().values(id="0" * 32, name="One", created_at=1))

    with pytest.raises(StorageError, match="locked by another process: end that one first"):
        await add()
    other.close()
    await add()
    await database.close()


async def test_a_full_disk_is_told_loses_nothing_and_is_got_over(tmp_path):
    database = await Database.open(tmp_path)

    async def add(number, name="One"):
        async with database.transaction() as connection:
            await connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")
            await connection.execute(
                organizations.insert().values(id=f"{number:032x}", name=name, created_at=1)
            )

    limit = 10**6
    await add(1)
    limit = 1  # SQLite makes of it the number of pages that there are
    with pytest.raises(StorageError, match="cannot grow: the disk is full"):
        await add(2, name="x" * 100_000)
    limit = 10**6
    await add(3)

    async with database.snapshot() as connection:
        assert len((await connection.execute(organizations.select())).all()) == 2
    await database.close()


async def test_a_data_folder_that_cannot_be_made_names_the_option(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match=r"--data-dir: cannot write in .*file"):
        await Database.open(tmp_path / "file" / "data")


async def test_without_the_count_of_changes_nothing_is_trusted_and_the_next_change_begins_anew(tmp_path):
    database = await Database.open(tmp_path)
    async with database.transaction(announces=True):
        pass
    counted = database.revision
    next(tmp_path.glob("*-changes")).unlink()

    assert database.revision < 0 < counted
    async with database.transaction(announces=True):
        pass
    assert database.revision > 0
    await database.close()


async def test_a_change_that_cannot_be_told_is_still_made(tmp_path, caplog):
    database = await Database.open(tmp_path)
    file = next(tmp_path.glob("*-changes"))
    file.unlink()
    file.mkdir()

    async with database.transaction(announces=True) as connection:
        await connection.execute(organizations.insert().values(id="0" * 32, name="One", created_at=1))

    assert "Other processes may notice a change a little later" in caplog.text
    async with database.snapshot() as connection:
        assert (await connection.execute(organizations.select())).first() is not None
    await database.close()


def test_processes_that_start_at_once_make_one_database(tmp_path):
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
