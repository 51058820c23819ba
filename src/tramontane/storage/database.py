"""The database: one object that services share, and the only way to a connection.

No transaction is held while an engine works: services open one, do their few statements and leave it.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tramontane.errors import StorageError
from tramontane.storage import sqlite
from tramontane.storage.migrations import migrate

FILE_NAME: Final = "tramontane.db"


class Database:
    """An open database whose schema is that of this release."""

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self._engine = engine
        self._reader = engine.execution_options(**{sqlite.READ_ONLY: True})
        self._name = name

    @classmethod
    async def open(cls, data_dir: Path) -> "Database":
        """Open the database of `data_dir`, made on the first start and upgraded after an upgrade.

        Several processes may do so at once.

        Raises:
            ConfigurationError: the folder cannot be made or written.
            StorageError: the file is damaged, locked, another program's or a newer release's.
        """
        path = data_dir / FILE_NAME
        sqlite.create_file(path)
        database = cls(sqlite.create_engine(path), str(path))
        try:
            async with database.transaction() as connection:
                await connection.run_sync(migrate, database._name)
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write: committed at the end of the block, rolled back if it raises.

        Raises:
            StorageError: the database cannot do what it is asked.
        """
        with self._translated():
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, and waits for no writer.

        Raises:
            StorageError: the database cannot do what it is asked.
        """
        with self._translated():
            async with self._reader.begin() as connection:
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StorageError(f"The database {self._name} {_advice(str(error.orig))}") from error
        except SQLAlchemyError as error:
            raise StorageError(f"The database {self._name} cannot be used: {error}") from error


def _advice(problem: str) -> str:
    """The rest of a sentence for what SQLite says."""
    match problem:
        case "database is locked":
            return "is locked by another process: end that one first"
        case "file is not a database":
            return "is no database: move it away, or choose another --data-dir"
        case _ if problem.startswith("attempt to write a readonly database"):
            return "cannot be written: change its permissions, or choose another --data-dir"
        case _ if "malformed" in problem:
            return f"is damaged ({problem}): restore it from a backup, or choose another --data-dir"
        case "database or disk is full":
            return "cannot grow: the disk is full"
        case _:
            return f"cannot be used: {problem}"
