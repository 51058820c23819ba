"""The database: one object that services share, and the only way to a connection.

No transaction is held while an engine works: services open one, do their few statements and leave it.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.errors import StorageError
from tramontane.storage.backend import Backend, Result
from tramontane.storage.migrations import migrate
from tramontane.storage.sqlite import SqliteBackend


class Database:
    """An open database whose schema is that of this release."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._engine = backend.engine
        self._reader = backend.engine.execution_options(**backend.read_only)

    @classmethod
    async def open(cls, data_dir: Path, url: str | None = None) -> "Database":
        """Open the PostgreSQL database at `url`, or else the SQLite database of `data_dir`.

        Its schema is made on the first start and upgraded after an upgrade. Several processes may open it
        at once.

        Raises:
            ConfigurationError: the folder cannot be made or written, or the URL is none.
            StorageError: the database is damaged, locked, out of reach, another program's or a newer
                release's.
        """
        database = cls(backend_of(data_dir, url))
        try:
            async with database.transaction() as connection:
                await connection.run_sync(database._migrate)
            await database._backend.changes.start()
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Close every connection."""
        await self._backend.changes.close()
        await self._backend.close()

    @property
    def revision(self) -> int:
        """Another number after any process has announced a change; cheap enough to read on every request.

        What is kept of the database is kept with the revision that was read before the query.
        """
        return self._backend.changes.revision

    @asynccontextmanager
    async def transaction(self, *, announces: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write: committed at the end of the block, rolled back if it raises.

        With SQLite the whole block is alone in writing. With PostgreSQL only rows that are read
        `with_for_update` are ours until the end, which is what whoever reads first and writes later must do.

        Args:
            announces: it changes accounts, plans, limits or prices: after the commit every process has
                another `revision`.

        Raises:
            StorageError: the database cannot do what it is asked.
        """
        with self._translated():
            async with self._engine.begin() as connection:
                yield connection
                if announces:
                    await self._backend.changes.announce(connection)
        if announces:
            self._backend.changes.committed()

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, done in a transaction that may write, from its begin to its commit.

        As `transaction`, for what is done often: with SQLite the whole takes one hop to a thread and back,
        not one each statement. `work` may run in that thread, and must change nothing but its database.

        Raises:
            StorageError: the database cannot do what it is asked.
        """
        with self._translated():
            return await self._backend.write(work)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, sees one state of the database, and waits for no writer.

        Raises:
            StorageError: the database cannot do what it is asked.
        """
        with self._translated():
            async with self._reader.begin() as connection:
                yield connection

    def _migrate(self, connection: Connection) -> None:
        self._backend.lock_schema(connection)
        migrate(connection, self._backend.name, self._backend.elsewhere)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._error(self._backend.advice(error.orig or error)) from error
        except (OSError, sqlite3.Error) as error:  # of the network, or a driver asked straight
            raise self._error(self._backend.advice(error)) from error
        except SQLAlchemyError as error:
            raise self._error(f"cannot be used: {error}") from error

    def _error(self, problem: str) -> StorageError:
        return StorageError(f"The database {self._backend.name} {problem}")


def backend_of(data_dir: Path, url: str | None) -> Backend:
    """PostgreSQL at `url`, or else SQLite in `data_dir`."""
    if url is None:
        return SqliteBackend(data_dir)
    from tramontane.storage.postgresql import PostgresqlBackend  # noqa: PLC0415  the driver, wanted only here

    return PostgresqlBackend(url)
