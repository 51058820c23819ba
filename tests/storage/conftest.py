import asyncio
import shutil

import pytest

from tramontane.storage.database import Database


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A data folder with an empty database, made once."""

    async def make():
        await (await Database.open(data_dir)).close()

    data_dir = tmp_path_factory.mktemp("migrated")
    asyncio.run(make())
    return data_dir


@pytest.fixture
async def database(migrated, tmp_path, anyio_backend):
    """An empty database in `tmp_path`."""
    shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)
    database = await Database.open(tmp_path)
    yield database
    await database.close()
