"""`tramontane db`."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from tests.support.databases import Place
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.cli.main import run
from tramontane.core.clock import SystemClock
from tramontane.storage.migrations import HEAD
from tramontane.storage.sqlite import FILE_NAME


@pytest.fixture
def use(monkeypatch):
    """Points the commands to a place."""

    def point(place):
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        return place

    return point


async def execute(place, statement):
    database = await place.open()
    async with database.transaction() as connection:
        await connection.execute(text(statement))
    await database.close()


async def workspace_names(place):
    database = await place.open()
    found = await WorkspaceService(database, SystemClock()).list(DEFAULT_ORGANIZATION_ID)
    await database.close()
    return [one.name for one in found]


async def fill(place):
    database = await place.open()
    await AccountsService(database, SystemClock()).ensure_default()
    await database.close()


class TestUpgrade:
    def test_it_makes_the_schema_and_then_finds_it(self, new_place, use, capsys):
        use(new_place)

        assert run(["db", "upgrade"]) == 0
        assert f"is made: schema {HEAD}" in capsys.readouterr().out
        assert run(["db", "upgrade"]) == 0
        assert f"is up to date: schema {HEAD}" in capsys.readouterr().out

    def test_a_newer_database_is_left_alone(self, place, use, capsys):
        asyncio.run(execute(use(place), "UPDATE alembic_version SET version_num = '9999'"))

        assert run(["db", "upgrade"]) == 1
        assert "written by a newer release of Tramontane (schema 9999" in capsys.readouterr().err


class TestCheck:
    def test_all_is_well(self, place, use, capsys):
        use(place)
        assert run(["db", "check"]) == 0
        said = capsys.readouterr().out
        assert f"schema {HEAD}" in said
        assert "No problem found." in said

    def test_the_password_is_not_shown(self, kind, place, use, capsys):
        if kind == "sqlite":
            pytest.skip("has none")
        parts = urlsplit(place.url)
        use(Place(place.data_dir, parts._replace(netloc=f"postgres:hidden@{parts.hostname}").geturl()))

        run(["db", "check"])
        said = capsys.readouterr()
        assert "hidden" not in said.out + said.err

    @pytest.mark.parametrize(
        ("statement", "problem"),
        [
            ("UPDATE alembic_version SET version_num = '9999'", f"newer than {HEAD}"),
            ("UPDATE alembic_version SET version_num = '0000'", f"older than {HEAD}"),
            ("DROP TABLE alembic_version", "belongs to another program"),
            ("DROP TABLE admin_keys", "changed by hand: add table admin_keys"),
            ("ALTER TABLE api_keys ADD COLUMN colour INTEGER", "changed by hand: remove column"),
        ],
    )
    def test_problems_are_told_and_nothing_is_changed(self, place, use, capsys, statement, problem):
        asyncio.run(execute(use(place), statement))

        for _ in range(2):
            assert run(["db", "check"]) == 1
            assert problem in capsys.readouterr().out

    def test_an_empty_one_is_told(self, new_place, use, capsys):
        place = use(new_place)
        if place.url is None:
            (place.data_dir / FILE_NAME).touch()
        assert run(["db", "check"]) == 1
        assert "has no schema yet" in capsys.readouterr().out

    def test_one_that_is_not_there_is_not_made(self, tmp_path, use, capsys):
        use(Place(tmp_path))
        assert run(["db", "check"]) == 1
        assert "There is no database" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_damage_is_found(self, tmp_path, use, capsys):
        place = use(Place(tmp_path))
        asyncio.run(fill(place))
        path = tmp_path / FILE_NAME
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("DELETE FROM workspaces")
            connection.commit()

        assert run(["db", "check"]) == 1
        assert "A row of api_keys refers to one of workspaces that is not there" in capsys.readouterr().out


class TestBackup:
    @pytest.fixture
    def place(self, tmp_path, use):
        place = use(Place(tmp_path / "data"))
        asyncio.run(fill(place))
        return place

    def test_a_copy_is_made_while_another_process_is_writing(self, place, tmp_path, capsys):
        target = tmp_path / "copy" / FILE_NAME
        target.parent.mkdir()
        with closing(sqlite3.connect(place.data_dir / FILE_NAME, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("UPDATE workspaces SET name = 'unfinished'")
            assert run(["db", "backup", str(target)]) == 0
            writer.execute("COMMIT")

        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert [path.name for path in target.parent.iterdir()] == [FILE_NAME]
        assert asyncio.run(workspace_names(Place(target.parent))) == ["Default"]
        assert asyncio.run(workspace_names(place)) == ["unfinished"]

    def test_in_a_folder_it_has_a_name_with_the_time(self, place, tmp_path, capsys):
        (tmp_path / "backups").mkdir()
        assert run(["db", "backup", str(tmp_path / "backups")]) == 0

        (made,) = (tmp_path / "backups").iterdir()
        assert made.name.startswith("tramontane-20")
        assert str(made) in capsys.readouterr().out

    def test_what_is_there_is_never_overwritten(self, place, tmp_path, capsys):
        target = tmp_path / "copy.db"
        target.write_text("precious")
        assert run(["db", "backup", str(target)]) == 1
        assert "exists already" in capsys.readouterr().err
        assert target.read_text() == "precious"

    def test_a_target_that_cannot_be_written_is_told(self, place, tmp_path, capsys):
        assert run(["db", "backup", str(tmp_path / "nowhere" / "copy.db")]) == 1
        assert "cannot be copied to" in capsys.readouterr().err

    def test_a_damaged_database_makes_no_backup(self, tmp_path, use, capsys):
        use(Place(tmp_path))
        (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)
        assert run(["db", "backup", str(tmp_path / "copy.db")]) == 1
        assert "not a database" in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]

    def test_postgresql_has_its_own_tool(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("TRAMONTANE_DATABASE_URL", "postgresql://someone:hidden@db.example/accounts")
        assert run(["db", "backup", str(tmp_path / "copy.dump")]) == 1
        said = capsys.readouterr().err
        assert "pg_dump --format=custom --file=" in said
        assert "postgresql://someone@db.example/accounts" in said
