"""Brings a database to the schema of this release. Alembic is imported only when there is something to do.

A new migration is a file in `versions/`, written by hand after the last one, whose revision becomes `HEAD`.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from tramontane.errors import StorageError

HEAD: Final = "0004"
"""The revision of `storage.tables`. Revisions are numbers of four digits, so that they can be compared."""


def migrate(connection: Connection, name: str, elsewhere: str) -> None:
    """Create or upgrade the schema within the connection's open transaction.

    Args:
        connection: holds the lock by which of several processes one migrates and the others wait.
        name: what messages call the database.
        elsewhere: what messages advise, to use another one.

    Raises:
        StorageError: the database is a newer release's, or no database of ours.
    """
    current = _current_revision(connection, name, elsewhere)
    if current == HEAD:
        return
    if current is not None and current > HEAD:
        raise StorageError(
            f"The database {name} was written by a newer release of Tramontane (schema {current}, this one "
            f"knows {HEAD}): upgrade Tramontane, or {elsewhere}"
        )
    _upgrade(connection)


def _current_revision(connection: Connection, name: str, elsewhere: str) -> str | None:
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision
    if tables:
        raise StorageError(f"The database {name} belongs to another program: {elsewhere}")
    return None


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  a quarter of a second, wanted only here
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
