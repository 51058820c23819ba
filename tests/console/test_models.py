import asyncio
import html
import re
import time
from dataclasses import replace

import httpx
import pytest

from tests.console.conftest import ORIGIN, PASSWORD, csrf_token
from tests.support.waiting import eventually_read
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID
from tramontane.bootstrap import build
from tramontane.catalog import planning
from tramontane.catalog.licenses import known_licenses
from tramontane.errors import ModelStoreError
from tramontane.settings import Settings
from tramontane.weights.progress import FetchProgress, Stage

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
    assert part.text.count('hx-swap-oob="innerHTML"') == 3  # two models, and what is being fetched

    assert (await admin.get("/console/models/live?of=others")).headers["hx-refresh"] == "true"


async def test_a_model_is_planned_before_it_is_fetched(admin):
    page = (await admin.get("/console/models/plan?model=smollm2-135m-instruct")).text
    assert "SmolLM2" in page
    assert "would be chosen" in page
    assert "Apache" in page
    assert 'value="smollm2-135m-instruct"' in page
    for name, words in (("", "Say which model"), ("/nowhere/model.gguf", "/nowhere/model.gguf")):
        answer = await admin.get("/console/models/plan", params={"model": name})
        assert answer.status_code == 400
        assert words in answer.text


async def test_a_licence_that_restricts_is_to_be_accepted(admin, monkeypatch):
    terms = next(one for one in known_licenses() if one.restriction)
    plan_model = planning.plan_model
    monkeypatch.setattr(
        planning, "plan_model", lambda *given, **named: replace(plan_model(*given, **named), license=terms)
    )
    page = (await admin.get("/console/models/plan?model=smollm2-135m-instruct")).text

    assert 'type="checkbox" name="licence" value="yes" required' in page
    assert terms.name in html.unescape(page)


async def test_a_model_is_added_followed_and_removed(admin):
    assert (await post(admin, "/models/add", model="another", id="another")).status_code == 303

    async def page():
        return (await admin.get("/console/models")).text

    shown = await eventually_read(page, lambda text: "served now" in text)
    assert "<code>another</code>" in shown
    assert 'Remove<span class="unseen"> another' in shown
    again = await post(admin, "/models/add", model="another", id="another")
    assert again.status_code == 409
    assert "is served already" in again.text
    odd = await post(admin, "/models/add", model="another", id="no id")
    assert odd.status_code == 400
    refused = await post(admin, "/models/remove", model="fake")
    assert refused.status_code == 409
    assert "was not added to the running server" in refused.text
    assert (await post(admin, "/models/remove", model="another")).status_code == 303
    assert "Remove<span" not in await page()
    assert "began to fetch the model <strong>another</strong>" in (await admin.get("/console/changes")).text


async def test_a_fetch_that_fails_says_why_and_one_that_goes_on_is_stopped(
    tmp_path, anyio_backend, monkeypatch
):
    accepted = {}

    def prepare(_settings, model, job, accepts_licence):
        accepted[model.model] = accepts_licence
        if model.model == "org/broken":
            raise ModelStoreError("The <hub> does not have it")
        job.fetching(FetchProgress("weights", Stage.DOWNLOADING, 250, 1000))
        while True:
            job.check_cancelled()
            time.sleep(0.01)

    monkeypatch.setattr("tramontane.bootstrap._prepare_added", prepare)
    settings = Settings(data_dir=tmp_path, console_password=PASSWORD)
    async with (
        build(settings, []) as server,
        httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url=ORIGIN) as client,
    ):
        await client.post("/console/sign-in", data={"password": PASSWORD})
        await post(client, "/models/add", model="org/broken")
        await post(client, "/models/add", model="org/slow", licence="yes")

        async def shown():
            return (await client.get("/console/models")).text

        page = await eventually_read(
            shown, lambda text: "250 B of 1000 B" in text and "does not have it" in text
        )
        assert "The &lt;hub&gt; does not have it" in page
        assert 'max="1000" value="250"' in page
        assert accepted == {"org/broken": False, "org/slow": True}
        assert (
            await post(client, re.search('action="/console(/models/jobs/[^"]+/cancel)"', page)[1])
        ).is_redirect
        assert "stopped" in await shown()
