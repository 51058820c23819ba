"""What `Database` needs to know of the database that it stands on."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from tramontane.storage.changes import Changes

Result = TypeVar("Result")


class Backend(Protocol):
    """SQLite or PostgreSQL."""

    name: str
    """What messages call the database; without its password."""
    elsewhere: str
    """What to do to use another one: "choose another …"."""
    engine: AsyncEngine
    read_only: Mapping[str, object]
    """Execution options of a transaction that reads one consistent state and waits for no writer."""
    changes: Changes

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, done in a transaction of its own."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...

    def lock_schema(self, connection: Connection) -> None:
        """Make other processes that would migrate wait for the end of the transaction."""
        ...

    def damage(self, connection: Connection) -> Iterable[str]:
        """What the database itself finds wrong with its files, in sentences."""
        ...

    def advice(self, error: BaseException) -> str:
        """What the driver's error means and what to do: the rest of a sentence that begins with `name`."""
        ...
