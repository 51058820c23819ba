"""PostgreSQL databases and Redis keys of a test's own, on the servers that the environment names."""

import asyncio
import os
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tramontane.storage.database import Database

# Read at import: fixtures hide the variables of whoever runs the tests from the code under test.
POSTGRES = os.environ.get("TRAMONTANE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1/test")
REDIS = os.environ.get("TRAMONTANE_TEST_REDIS", "redis://127.0.0.1:6379")


def new_name():
    return f"tramontane_test_{uuid.uuid4().hex}"


def url_of(name):
    """The database of this name on the server of `POSTGRES`."""
    return urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))


async def execute(statement, *arguments, url=POSTGRES):
    """Run one statement over a connection of its own; its rows."""
    connection = await asyncpg.connect(url, timeout=60)
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()


def why_not_reachable():
    """None if PostgreSQL answers at `POSTGRES`."""
    try:
        asyncio.run(execute("SELECT 1"))
    except (OSError, asyncpg.PostgresError) as error:
        return f"no PostgreSQL at {POSTGRES} (TRAMONTANE_TEST_POSTGRES): {error}"
    return None


async def create(name, template="template1"):
    await execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


async def drop(name):
    await execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def temporary_database(template="template1"):
    """The URL of a database that is dropped at the end."""
    name = new_name()
    asyncio.run(create(name, template))
    try:
        yield url_of(name)
    finally:
        asyncio.run(drop(name))


async def cut_connections(url):
    """End every other connection to the database of `url` as a restart would; wait until they are gone."""
    name = urlsplit(url).path[1:]
    await execute(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
        "WHERE datname = $1 AND pid <> pg_backend_pid()",
        name,
    )


@dataclass(frozen=True)
class Place:
    """Where the database of a test is, for every process that shares it."""

    data_dir: Path
    url: str | None = None

    async def open(self):
        return await Database.open(self.data_dir, self.url)

    @property
    def environment(self):
        """What a `tramontane` of its own needs to use it."""
        url = {} if self.url is None else {"TRAMONTANE_DATABASE_URL": self.url}
        return {"TRAMONTANE_DATA_DIR": str(self.data_dir), **url}
