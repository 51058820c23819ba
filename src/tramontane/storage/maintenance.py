"""The operator's care of a database: upgrade, check, back up."""

import os
import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, inspect, make_url

from tramontane.errors import StorageError
from tramontane.storage.database import Database, backend_of
from tramontane.storage.migrations import HEAD, revision_of, schema_differences
from tramontane.storage.sqlite import FILE_NAME


@dataclass(frozen=True, slots=True)
class Condition:
    """What a check has found."""

    name: str
    revision: str | None
    """Of the schema; None in a database without one."""
    problems: Sequence[str]
    """Sentences; none if all is well."""


async def upgrade(data_dir: Path, url: str | None) -> tuple[str, str | None]:
    """Bring the schema to this release's, making the database if there is none.

    Returns:
        What messages call it, and the revision that it had.

    Raises:
        ConfigurationError, StorageError: as `Database.open`.
    """
    backend = backend_of(data_dir, url)
    database = Database(backend)
    try:
        async with database.snapshot() as connection:
            before = await connection.run_sync(revision_of)
    finally:
        await database.close()
    await (await Database.open(data_dir, url)).close()
    return backend.name, before


async def check(data_dir: Path, url: str | None) -> Condition:
    """See whether the database is whole and of this release; changes nothing.

    Raises:
        ConfigurationError, StorageError: it cannot be opened at all, or there is none.
    """
    if url is None:
        _existing(data_dir)
    backend = backend_of(data_dir, url)
    database = Database(backend)

    def examine(connection: Connection) -> tuple[str | None, list[str]]:
        revision = revision_of(connection)
        return revision, [*backend.damage(connection), *_schema_problems(connection, revision)]

    try:
        async with database.snapshot() as connection:
            revision, problems = await connection.run_sync(examine)
    finally:
        await database.close()
    return Condition(backend.name, revision, problems)


def _schema_problems(connection: Connection, revision: str | None) -> Iterator[str]:
    match revision:
        case None if inspect(connection).get_table_names():
            yield "It belongs to another program."
        case None:
            yield "It has no schema yet: run `tramontane db upgrade`, or start a server."
        case _ if revision < HEAD:
            yield f"Its schema is older than {HEAD}, this release's: run `tramontane db upgrade`."
        case _ if revision > HEAD:
            yield f"Its schema is newer than {HEAD}, this release's: upgrade Tramontane."
        case _:
            yield from schema_differences(connection)


def back_up(data_dir: Path, url: str | None, target: Path) -> Path:
    """Copy the SQLite database of `data_dir` while servers go on writing: one consistent state of it.

    Args:
        data_dir: where the database is.
        url: of a PostgreSQL database, which has its own tools.
        target: the file to be made; in a folder that is there, a name with the time is chosen.

    Returns:
        The file, readable by its owner alone, checked and safely on the disk.

    Raises:
        StorageError: it cannot be read or written, the copy is not whole, or PostgreSQL is to be asked.
    """
    if url is not None:
        there = make_url(url)
        name = URL.create(
            there.drivername, there.username, None, there.host, there.port, there.database, there.query
        )
        raise StorageError(
            "PostgreSQL backs itself up, servers running or not: "
            f"pg_dump --format=custom --file={shlex.quote(str(target))} {shlex.quote(str(name))}"
        )
    source = _existing(data_dir)
    if target.is_dir():
        target /= f"tramontane-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    if target.exists():
        raise StorageError(f"{target} exists already: choose another name")
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        _copy(source, unfinished)
        unfinished.rename(target)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"The database {source} cannot be copied to {target}: {error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()
    return target


def _existing(data_dir: Path) -> Path:
    path = data_dir / FILE_NAME
    if not path.exists():
        raise StorageError(f"There is no database in {data_dir}: the first start of a server makes it")
    return path


def _copy(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(source)) as database, closing(sqlite3.connect(target)) as copy:
        database.execute("PRAGMA busy_timeout = 10000")
        database.backup(copy)  # in one step: one state, and no writer waits
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        problems = [row[0] for row in copy.execute("PRAGMA integrity_check")]
    if problems != ["ok"]:
        raise sqlite3.DatabaseError("; ".join(problems))
    with target.open("rb") as file:
        os.fsync(file.fileno())
