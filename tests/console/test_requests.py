import html
import re

import httpx
import pytest

from tests.console.conftest import ORIGIN, PASSWORD, csrf_token
from tests.support.waiting import eventually_read
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID
from tramontane.bootstrap import build
from tramontane.settings import Settings

pytestmark = pytest.mark.anyio

HOSTILE = "<script>window.hacked = 1</script>"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
CHAT = {"model": "fake", "messages": [{"role": "user", "content": HOSTILE}], "metadata": {"of": HOSTILE}}


@pytest.fixture
async def recording(tmp_path, anyio_backend):
    """An administrator of a server that keeps the text of requests."""
    settings = Settings(
        data_dir=tmp_path, engine="fake", plan="unlimited", console_password=PASSWORD, transcripts=True
    )
    async with (
        build(settings, []) as server,
        httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url=ORIGIN) as client,
    ):
        await client.post("/console/sign-in", data={"password": PASSWORD})
        yield client


async def ask(client, path="chat/completions", **body):
    answer = await client.post(
        f"/console/playground/v1/{path}",
        json={**(CHAT if path == "chat/completions" else {"model": "fake"}), **body},
        headers={"x-csrf-token": await csrf_token(client), "x-workspace": DEFAULT_WORKSPACE_ID},
    )
    assert answer.status_code == 200, answer.text
    return f"/console/requests/{answer.json()['id']}"


async def shown(client, path, *words):
    async def page():
        return html.unescape((await client.get(path)).text)

    return await eventually_read(page, lambda text: all(word in text for word in words))


async def test_no_text_is_kept_unless_it_was_switched_on(admin):
    path = await ask(admin)
    page = await admin.get(path)

    assert "The text of requests is kept nowhere." in page.text
    assert "You wrote" not in page.text
    assert "The text of requests and answers is kept nowhere." in (await admin.get("/console/requests")).text


async def test_a_request_has_a_page_with_its_figures(admin):
    path = await ask(admin)
    assert f'href="{path}"' in (await admin.get("/console/requests")).text
    page = await admin.get(path)

    assert "playground" in page.text
    assert HOSTILE not in page.text
    assert "window.hacked = 1" in html.unescape(page.text)  # its metadata
    assert (await admin.get(f"/console/requests/{'0' * 32}")).status_code == 404


async def test_what_is_kept_is_shown_as_text(recording):
    path = await ask(recording, tools=[TOOL])
    text = await shown(recording, path, "You wrote", HOSTILE, '"parameters"')

    assert HOSTILE not in (await recording.get(path)).text
    assert "deleted 7 days after the request" in re.sub(r"\s+", " ", text)
    assert "kept for 7 days" in (await recording.get("/console/requests")).text


async def test_gaps_and_texts_are_kept_too(recording):
    gap = await ask(recording, "fim/completions", prompt="def before():", suffix="# after")
    await shown(recording, gap, "def before():", "# after")
    texts = await ask(recording, "embeddings", model="fake-embed", input=["one text", "another"])
    await shown(recording, texts, "one text", "another")


async def test_the_text_of_a_request_can_be_deleted(recording):
    path = await ask(recording)
    await shown(recording, path, "Delete the text now")
    await recording.post(f"{path}/forget", data={"csrf_token": await csrf_token(recording)})
    page = await recording.get(path)

    assert "The text of this request is not kept" in page.text
    assert "You wrote" not in page.text
    again = await recording.post(f"{path}/forget", data={"csrf_token": await csrf_token(recording)})
    assert again.status_code == 404
