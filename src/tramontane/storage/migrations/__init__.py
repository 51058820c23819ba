"""Brings a database to the schema of this release. Alembic is imported only when there is something to do.

A new migration is a file in `versions/`, written by hand after the last one, whose revision becomes `HEAD`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from tramontane.errors import StorageError
from tramontane.storage.tables import metadata

HEAD: Final = "0007"
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
    current = revision_of(connection)
    if current == HEAD:
        return
    if current is None and inspect(connection).get_table_names():
        raise StorageError(f"The database {name} belongs to another program: {elsewhere}")
    if current is not None and current > HEAD:
        raise StorageError(
            f"The database {name} was written by a newer release of Tramontane (schema {current}, this one "
            f"knows {HEAD}): upgrade Tramontane, or {elsewhere}"
        )
    _upgrade(connection)


def revision_of(connection: Connection) -> str | None:
    """The revision of the schema; None in a database without one, be it empty or another program's."""
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def schema_differences(connection: Connection) -> Iterator[str]:
    """What somebody has changed by hand in the schema of this release, in sentences."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  slow to import
    from alembic.migration import MigrationContext  # noqa: PLC0415

    for difference in compare_metadata(MigrationContext.configure(connection), metadata):
        # (what to do, to what, …) or a list of such, for the changes of one column
        action, *what = difference[0] if isinstance(difference, list) else difference
        yield f"The schema was changed by hand: {action.replace('_', ' ')} {' '.join(map(str, what))}."


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  a quarter of a second, wanted only here
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
