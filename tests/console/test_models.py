import asyncio
import re

import pytest

from tests.console.conftest import csrf_token
from tests.support.waiting import eventually_read
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID

pytestmark = pytest.mark.anyio

CHAT = {"model": "fake", "messages": [{"role": "user", "content": "Ping"}]}


async def post(client, path, **fields):
    return await client.post(f"/console{path}", data={"csrf_token": await csrf_token(client), **fields})


async def ask(client):
    headers = {"x-csrf-token": await csrf_token(client), "x-workspace": DEFAULT_WORKSPACE_ID}
    return await client.post("/console/playground/v1/chat/completions", json=CHAT, headers=headers)


async def first(client):
    """What the page shows of the chat model."""
    page = (await client.get("/console/models")).text
    return " ".join(
        re.sub("<[^>]+>", " ", page.partition('id="life-1"')[2].partition("</article>")[0]).split()
    )


async def test_a_model_is_unloaded_and_loaded_again(admin):
    assert (await first(admin)).split("> ")[-1].startswith("Ready")
    assert (await post(admin, "/models/unload", model="fake")).status_code == 303
    shown = await first(admin)
    assert "Unloaded loaded with the next request" in shown
    assert "Load fake" in shown
    await post(admin, "/models/load", model="mistral-large-latest")  # any id that it answers to

    await eventually_read(lambda: first(admin), lambda shown: "Ready" in shown)
    assert "unloaded the model <strong>fake</strong>" in (await admin.get("/console/changes")).text


async def test_the_next_request_loads_it_too(admin):
    await post(admin, "/models/unload", model="fake")

    assert (await ask(admin)).status_code == 200
    assert "Ready" in await first(admin)


async def test_a_model_in_use_is_unloaded_by_force_only(admin, running):
    model = running.catalog.find("fake")
    in_use, over = asyncio.Event(), asyncio.Event()

    async def use():
        async with model.lease():
            in_use.set()
            await over.wait()

    user = asyncio.create_task(use())
    await in_use.wait()
    refused = await post(admin, "/models/unload", model="fake")
    assert refused.status_code == 409
    assert "in use by 1 requests" in refused.text
    assert "Unload it all the same" in refused.text
    assert "1 in use" in await first(admin)
    assert (await post(admin, "/models/unload", model="fake", force="yes")).status_code == 303
    assert "Unloaded" in await first(admin)
    over.set()
    await user


async def test_a_model_that_is_not_there_says_so(admin):
    answer = await post(admin, "/models/load", model="<b>nothing</b>")

    assert answer.status_code == 404
    assert "<b>nothing" not in answer.text


async def test_what_changes_is_read_anew_and_the_page_when_others_are_served(admin):
    page = (await admin.get("/console/models")).text
    live = re.search('hx-get="([^"]+)"', page)[1]
    part = await admin.get(live)
    assert part.text.count('hx-swap-oob="innerHTML"') == 2

    assert (await admin.get("/console/models/live?of=others")).headers["hx-refresh"] == "true"
