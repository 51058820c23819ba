"""PostgreSQL as the database of many processes and machines."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import asyncpg
from sqlalchemy import Connection, func, make_url, select
from sqlalchemy.ext.asyncio import create_async_engine

from tramontane.errors import ConfigurationError, StorageError
from tramontane.storage.backend import Result
from tramontane.storage.listening import ListeningChanges

if TYPE_CHECKING:
    from tramontane.storage.changes import Changes

_CONNECT_SECONDS: Final = 10.0
_STATEMENT_SECONDS: Final = 60.0
"""No statement of ours takes so long: the server behind a connection that waits longer is gone."""

_SCHEMA_LOCK: Final = 0x7472616D  # "tram"

_UNREACHABLE: Final = "cannot be reached ({}): see whether PostgreSQL runs and listens there"

# By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
_ADVICE: Final[Mapping[str, str]] = {
    "28000": "refuses the user ({}): correct TRAMONTANE_DATABASE_URL",
    "28P01": "refuses the password ({}): correct TRAMONTANE_DATABASE_URL",
    "3D000": "cannot be opened ({}): create it, or correct TRAMONTANE_DATABASE_URL",
    "42501": "does not let this user do that ({}): grant it",
    "25006": "is read-only, perhaps a standby ({}): choose another TRAMONTANE_DATABASE_URL",
    "53100": "cannot grow: the disk of its server is full ({})",
    "53300": "has no connection left ({}): raise max_connections",
    "55P03": "kept us waiting for too long ({}): another session holds a lock",
    "57014": "kept us waiting for too long ({}): another session holds a lock",
}


class PostgresqlBackend:
    """The database of a `postgresql://` URL, which takes what libpq takes: `?sslmode=require` and the like.

    Raises:
        ConfigurationError: it is no such URL.
    """

    elsewhere = "choose another TRAMONTANE_DATABASE_URL"
    read_only: Mapping[str, object] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    def __init__(self, url: str) -> None:
        try:
            self.name = make_url(url).render_as_string(hide_password=True)
        except ValueError:
            raise ConfigurationError(
                "TRAMONTANE_DATABASE_URL is no postgresql://user:password@host/name URL"
            ) from None
        self._url = url
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            # One round trip a transaction, so that a restarted server fails no request that comes later.
            pool_pre_ping=True,
        )
        self.changes: Changes = ListeningChanges(self._connect)

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, done in a transaction of its own, on this event loop."""
        async with self.engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    def lock_schema(self, connection: Connection) -> None:
        """An advisory lock: there may be no table yet that could be locked."""
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))

    def damage(self, connection: Connection) -> Iterator[str]:
        """Indexes that PostgreSQL does not trust; its pages are checked by its own tools."""
        query = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
        for (index,) in connection.exec_driver_sql(query):
            yield f"The index {index} is not valid: REINDEX INDEX {index}."

    def advice(self, error: BaseException) -> str:
        """What PostgreSQL's SQLSTATE or the operating system says, for people."""
        state = str(getattr(error, "sqlstate", None) or "")
        # asyncpg's own words; SQLAlchemy's adapter puts the class's name into its text
        problem = str(error.__cause__ or error) or type(error).__name__
        if state.startswith(("08", "57P")) or isinstance(error, OSError) or "connection" in problem:
            return _UNREACHABLE.format(problem)
        return _ADVICE.get(state, "cannot be used: {}").format(problem)

    async def _connect(self) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(
                self._url, timeout=_CONNECT_SECONDS, command_timeout=_STATEMENT_SECONDS
            )
        except ValueError as error:  # an option in it that means nothing
            raise ConfigurationError(f"TRAMONTANE_DATABASE_URL: {error}") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise StorageError(f"The database {self.name} {self.advice(error)}") from error
