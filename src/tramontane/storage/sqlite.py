"""SQLite as the embedded database: how its file is made and how its connections behave."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock
from sqlalchemy import URL, Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from tramontane.errors import ConfigurationError

READ_ONLY: Final = "tramontane_read_only"
"""Execution option of transactions that only read."""

_PRAGMAS: Final = (
    "PRAGMA busy_timeout = 10000",  # first: the others may have to wait for another process too
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what was answered or shown once must survive a power cut
    "PRAGMA foreign_keys = ON",
)


def create_file(path: Path) -> None:
    """Make the database's folder and an empty file in it, for the owner alone, unless they are there.

    The file is in WAL mode then. SQLite does not wait for others when it changes the mode, so whoever opens
    the database for the first time beside us would be told that it is locked.

    Raises:
        ConfigurationError: the folder cannot be made or written.
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


def create_engine(path: Path) -> AsyncEngine:
    """An engine for the file, which opens nothing yet."""
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)))
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver would begin transactions late, and none for DDL
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    """Writers take the lock when they begin: one that reads first and writes later could not wait for it."""
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
