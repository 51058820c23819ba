"""What pages show while a request runs."""

import asyncio
import re

import httpx
import pytest

from tests.console.conftest import ORIGIN, PASSWORD, csrf_token
from tests.console.test_usage import rows
from tests.support.waiting import eventually_read
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID
from tramontane.bootstrap import build
from tramontane.settings import Settings

pytestmark = pytest.mark.anyio

CHAT = {"model": "fake", "messages": [{"role": "user", "content": "Ping"}], "stream": True}
LIMITS = f"/console/workspaces/{DEFAULT_WORKSPACE_ID}/limits"


@pytest.fixture
async def admin(tmp_path, anyio_backend):
    """An administrator of a server that takes its time."""
    settings = Settings(
        data_dir=tmp_path,
        engine="fake",
        plan="unlimited",
        console_password=PASSWORD,
        fake_tokens_per_second=5,
        slots=1,
    )
    async with (
        build(settings, []) as server,
        httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url=ORIGIN) as client,
    ):
        await client.post("/console/sign-in", data={"password": PASSWORD})
        yield client


@pytest.fixture
async def asking(admin):
    """Two requests that run for seconds, of which one waits for the other."""
    headers = {"x-csrf-token": await csrf_token(admin), "x-workspace": DEFAULT_WORKSPACE_ID}
    await admin.post(
        LIMITS, data={"csrf_token": headers["x-csrf-token"], "requests_per_minute": "60", "burst": "60"}
    )
    tasks = [
        asyncio.create_task(admin.post("/console/playground/v1/chat/completions", json=CHAT, headers=headers))
        for _ in range(2)
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_limits_count_requests_that_still_run(admin, asking):
    async def first_row():
        return rows(await admin.get("/console/limits/live"))[0]

    row = await eventually_read(first_row, lambda row: row[4] == "2")
    assert row[3] == "2 of 60"
    assert row[6] == "0 of any number"  # tokens count when an answer ends


async def test_health_says_what_runs_and_how_fast(admin, asking):
    async def pace():
        page = (await admin.get("/console/health/live")).text
        return float(re.search(r"<dd>([0-9.]+) <small>now; 0.0 in the last minute", page)[1])

    assert await eventually_read(pace, lambda pace: pace > 0) < 20
    page = (await admin.get("/console/health/live")).text
    assert "2 <small>now, 1 of them waiting; 0 ended in the last minute" in page
    assert "1 of 1" in page
    assert re.search(r"SQLite 3\.\d+", page)
