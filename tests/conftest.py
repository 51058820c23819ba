import asyncio
import os
import shutil
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from hypothesis import settings
from platformdirs import user_cache_path

from tests.support import databases
from tests.support.databases import Place

# A machine may be slow; tests say what is right, not how long it takes.
settings.register_profile("tramontane", deadline=None)
settings.load_profile("tramontane")

# Where `make serve` keeps the built-in models: tests that need them share it, so that they are fetched once.
BUILTIN_CACHE = Path(os.environ.get("TRAMONTANE_CACHE_DIR") or user_cache_path("tramontane", appauthor=False))


STORAGE_FIXTURES = {"place", "new_place", "redis_url"}
STORAGE_FOLDERS = {"storage", "console"}


def pytest_collection_modifyitems(items):
    for item in items:
        if not STORAGE_FIXTURES.isdisjoint(item.fixturenames) or item.path.parent.name in STORAGE_FOLDERS:
            item.add_marker("storage")


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def builtin_cache_dir():
    """A cache folder that holds the built-in models, or will."""
    return BUILTIN_CACHE


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path_factory):
    """No test sees the settings, the models or the home of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("TRAMONTANE_"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))


async def _migrate(place):
    await (await place.open()).close()


@pytest.fixture(scope="session")
def postgresql():
    """Skips what needs PostgreSQL where there is none."""
    if reason := databases.why_not_reachable():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("migrated"))
    asyncio.run(_migrate(place))
    return place.data_dir


@pytest.fixture(scope="session")
def _migrated_postgresql(postgresql, tmp_path_factory):
    with databases.temporary_database() as url:
        asyncio.run(_migrate(Place(tmp_path_factory.mktemp("migrated"), url)))
        yield urlsplit(url).path[1:]


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request):
    """Runs the test on both databases."""
    return request.param


@pytest.fixture
def new_place(kind, tmp_path, request):
    """A place for a database that nobody has used."""
    if kind == "sqlite":
        yield Place(tmp_path)
        return
    request.getfixturevalue("postgresql")
    with databases.temporary_database() as url:
        yield Place(tmp_path, url)


@pytest.fixture
def place(kind, tmp_path, request):
    """A place with an empty database, whose tables are there."""
    if kind == "sqlite":
        shutil.copytree(request.getfixturevalue("_migrated_sqlite"), tmp_path, dirs_exist_ok=True)
        yield Place(tmp_path)
        return
    with databases.temporary_database(request.getfixturevalue("_migrated_postgresql")) as url:
        yield Place(tmp_path, url)


@pytest.fixture
async def database(place, anyio_backend):
    """An empty database: SQLite in `tmp_path`, then PostgreSQL."""
    database = await place.open()
    yield database
    await database.close()


@pytest.fixture
def redis_url():
    """A Redis that answers. Others use it too: all keys of a test begin with its `redis_prefix`."""
    with redis.Redis.from_url(databases.REDIS) as client:
        try:
            client.ping()
        except redis.ConnectionError as error:
            pytest.skip(f"no Redis at {databases.REDIS} (TRAMONTANE_TEST_REDIS): {error}")
    return databases.REDIS


@pytest.fixture
def redis_prefix(redis_url):
    """What the keys of this test begin with; they are removed at its end."""
    prefix = f"tramontane_test_{uuid.uuid4().hex}:"
    yield prefix
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(match=f"{prefix}*", count=1000):
            client.delete(key)
