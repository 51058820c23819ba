import re

import httpx
import pytest

from tramontane.bootstrap import build
from tramontane.settings import Settings

PASSWORD = "correct horse battery"
ORIGIN = "http://console.test"


@pytest.fixture
async def running(tmp_path, anyio_backend):
    """The whole server with the fake engine, but for the network."""
    settings = Settings(data_dir=tmp_path, engine="fake", plan="unlimited", console_password=PASSWORD)
    async with build(settings, []) as server:
        yield server


@pytest.fixture
async def visitor(running):
    """Somebody who is not signed in."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(running.app), base_url=ORIGIN) as client:
        yield client


@pytest.fixture
async def admin(visitor):
    """The same after signing in."""
    signed_in = await visitor.post("/console/sign-in", data={"password": PASSWORD})
    assert signed_in.status_code == 303
    return visitor


async def csrf_token(client):
    """What the forms of the client's pages carry."""
    page = await client.get("/console/health")
    return re.search('name="csrf_token" value="([0-9a-f]{64})"', page.text)[1]
