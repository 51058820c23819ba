"""SQLite as the embedded database: how its file is made and how its connections behave."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from tramontane.errors import ConfigurationError
from tramontane.storage.backend import Result
from tramontane.storage.changes import Changes, FileChanges
from tramontane.storage.driver_statement import driver_of

FILE_NAME: Final = "tramontane.db"

_READ_ONLY: Final = "tramontane_read_only"

_PRAGMAS: Final = (
    "PRAGMA busy_timeout = 10000",  # first: the others may have to wait for another process too
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what was answered or shown once must survive a power cut
    "PRAGMA foreign_keys = ON",
)


class SqliteBackend:
    """The file of a data folder, made for the owner alone unless it is there.

    Raises:
        ConfigurationError: the folder cannot be made or written.
    """

    elsewhere = "choose another --data-dir"
    read_only: Mapping[str, object] = {_READ_ONLY: True}

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / FILE_NAME
        _create_file(path)
        self.name = str(path)
        self.engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)))
        event.listen(self.engine.sync_engine, "connect", _configure)
        event.listen(self.engine.sync_engine, "begin", _begin)
        self._writer = _Writer(path)
        self.changes: Changes = FileChanges(path.with_name(f"{FILE_NAME}-changes"))

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, done in a transaction of its own, in the thread that writes."""
        return await self._writer.run(work)

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.close()
        await self.engine.dispose()

    def lock_schema(self, connection: Connection) -> None:
        """Every transaction that may write holds the lock anyway."""

    def damage(self, connection: Connection) -> Iterator[str]:
        """What SQLite's own checks say."""
        for (problem,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if problem != "ok":
                yield f"Damage: {problem}."
        for table, _row, parent, _key in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            yield f"A row of {table} refers to one of {parent} that is not there."

    def advice(self, error: BaseException) -> str:
        """What SQLite says, for people."""
        problem = str(error)
        match problem:
            case "database is locked":
                return "is locked by another process: end that one first"
            case "file is not a database":
                return f"is no database: move it away, or {self.elsewhere}"
            case "database or disk is full":
                return "cannot grow: the disk is full"
            case _ if problem.startswith("attempt to write a readonly database"):
                return f"cannot be written: change its permissions, or {self.elsewhere}"
            case _ if "malformed" in problem:
                return f"is damaged ({problem}): restore it from a backup, or {self.elsewhere}"
            case _:
                return f"cannot be used: {problem}"


def _create_file(path: Path) -> None:
    """Make the file, unless it is there, and leave it in WAL mode.

    SQLite does not wait for others when it changes the mode, so whoever opens the database for the first time
    beside us would be told that it is locked.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ConfigurationError(
            f"--data-dir: cannot write in {path.parent} ({error.strerror}): choose a folder that is yours"
        ) from error
    # What is wrong with the file, its first transaction will tell.
    with (
        FileLock(path.with_suffix(".lock"), mode=0o600),
        suppress(sqlite3.Error),
        closing(sqlite3.connect(path)) as connection,
    ):
        connection.execute("PRAGMA journal_mode = WAL")


class _Writer:
    """A thread with a connection of its own, for transactions that are one piece of work each.

    The asynchronous driver hands every single statement to a thread and waits for it, which takes far longer
    than the statement. Here a transaction is handed over as a whole. Its begin and its end go to the driver
    straight, past SQLAlchemy's pool and events, which would take longer than the ledger's work between them.
    """

    def __init__(self, path: Path) -> None:
        self._engine = create_engine(URL.create("sqlite+pysqlite", database=str(path)), poolclass=NullPool)
        event.listen(self._engine, "connect", _configure)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-writer")
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns. Whoever is cancelled meanwhile does not stop it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, work)

    async def close(self) -> None:
        """Wait for what is under way, then close the connection."""
        await asyncio.to_thread(self._thread.shutdown)
        self._disconnect()

    def _write(self, work: Callable[[Connection], Result]) -> Result:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            driver = driver_of(self._connection)
            driver.execute("BEGIN IMMEDIATE")
            result = work(self._connection)
            driver.execute("COMMIT")
        except BaseException:
            self._disconnect()  # which rolls back, whatever state it is in
            raise
        return result

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver would begin transactions late, and none for DDL
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    """Writers take the lock when they begin: one that reads first and writes later could not wait for it."""
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
