"""The admin API's models, on the whole server with the fake engine."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.support.waiting import eventually_read
from tramontane.bootstrap import build
from tramontane.settings import ModelSettings, Settings

pytestmark = pytest.mark.anyio

ADMIN = "the-operators-admin-key"
KEY = "the-operators-api-key"
MODELS = "/v1/admin/models"
JOBS = "/v1/admin/model-jobs"
LAZY = ModelSettings(model="lazy", task="generate", load="use", aliases=("mistral-small-latest",))
SWITCHED = ModelSettings(model="switched", task="generate", load="command", aliases=())


@asynccontextmanager
async def serving(data_dir, **choices):
    choices.setdefault("models", (ModelSettings(model="first", task="generate"), LAZY, SWITCHED))
    settings = Settings(
        data_dir=data_dir, engine="fake", plan="unlimited", api_key=KEY, admin_key=ADMIN, **choices
    )
    async with (
        build(settings, []) as running,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(running.app),
            base_url="http://test",
            headers={"authorization": f"Bearer {ADMIN}"},
        ) as client,
    ):
        yield client


@pytest.fixture
async def admin(tmp_path, anyio_backend):
    async with serving(tmp_path) as client:
        yield client


async def ask(client, model, **fields):
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return await client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})


async def states(client):
    return {card["id"]: card["state"] for card in (await client.get(MODELS)).json()["data"]}


async def added(client, **model):
    """Add a model, and wait for the end of the job."""
    answer = await client.post(MODELS, json={"engine": "fake", "task": "generate", **model})
    assert answer.status_code == 200, answer.text
    job = answer.json()

    async def read():
        return (await client.get(f"{JOBS}/{job['id']}")).json()

    return await eventually_read(read, lambda now: now["ended_at"] is not None)


async def test_models_are_listed_with_what_they_do(admin):
    assert await states(admin) == {"first": "loaded", "lazy": "unloaded", "switched": "unloaded"}
    card = (await admin.get(f"{MODELS}/mistral-small-latest")).json()
    assert (card["id"], card["aliases"], card["load"], card["answers"]) == (
        "lazy", ["mistral-small-latest"], "use", True,
    )  # fmt: skip
    assert not (await admin.get(f"{MODELS}/switched")).json()["answers"]


async def test_the_first_use_loads_and_a_command_unloads(admin):
    assert (await ask(admin, "mistral-small-latest")).headers["x-tramontane-model"] == "lazy"
    assert (await states(admin))["lazy"] == "loaded"

    unloaded = await admin.post(f"{MODELS}/lazy/unload")
    assert (unloaded.status_code, unloaded.json()["state"]) == (200, "unloaded")
    assert (await ask(admin, "lazy")).status_code == 200


async def test_what_only_a_command_loads_refuses_before_and_answers_after(admin):
    refused = await ask(admin, "switched")
    assert (refused.status_code, refused.json()["type"]) == (503, "service_unavailable")
    assert "tramontane models load switched" in refused.json()["message"]
    assert refused.headers["retry-after"] == "60"

    loaded = await admin.post(f"{MODELS}/switched/load", params={"wait": True})
    assert loaded.json()["state"] == "loaded"
    assert (await ask(admin, "switched")).status_code == 200


async def test_a_request_that_is_refused_loads_nothing(admin):
    for fields in ({"n": 0}, {"logprobs": True}, {"reasoning_effort": "extreme"}):
        assert (await ask(admin, "lazy", **fields)).status_code in {400, 422}
    assert (await states(admin))["lazy"] == "unloaded"


async def test_a_model_in_use_is_unloaded_by_force_only(tmp_path, anyio_backend):
    async with serving(tmp_path, fake_tokens_per_second=1) as client:
        answer = asyncio.create_task(ask(client, "first"))

        async def users():
            return (await client.get(f"{MODELS}/first")).json()["users"]

        await eventually_read(users, lambda count: count == 1)
        refused = await client.post(f"{MODELS}/first/unload")
        assert (refused.status_code, refused.json()["type"]) == (409, "conflict")
        forced = await client.post(f"{MODELS}/first/unload", params={"force": True})
        assert (forced.status_code, forced.json()["state"]) == (200, "unloaded")
        assert (await answer).status_code == 503


async def test_an_added_model_is_served_and_remembered_until_it_is_removed(tmp_path, anyio_backend):
    async with serving(tmp_path) as client:
        job = await added(client, id="extra", aliases=["mistral-tiny-latest"])
        assert (job["state"], job["model"], job["error"]) == ("done", "extra", None)
        assert (await ask(client, "mistral-tiny-latest")).headers["x-tramontane-model"] == "extra"
        assert "extra" in {card["id"] for card in (await ask_models(client))}

    async with serving(tmp_path) as client:
        assert (await ask(client, "extra")).status_code == 200
        assert (await client.get(f"{MODELS}/extra")).json()["is_added"]
        removed = await client.delete(f"{MODELS}/extra")
        assert removed.json() == {"object": "served_model", "id": "extra", "deleted": True}
        assert (await ask(client, "extra")).json()["type"] == "invalid_model"

    async with serving(tmp_path) as client:
        assert "extra" not in await states(client)


async def ask_models(client):
    answer = await client.get("/v1/models", headers={"authorization": f"Bearer {KEY}"})
    return answer.json()["data"]


async def test_a_model_of_the_settings_goes_before_an_added_one(tmp_path, anyio_backend):
    async with serving(tmp_path) as client:
        await added(client, id="extra", aliases=["first-of-all"])
    async with serving(tmp_path, models=(ModelSettings(model="extra", task="generate"),)) as client:
        card = (await client.get(f"{MODELS}/extra")).json()
        assert not card["is_added"]
        assert (await client.delete(f"{MODELS}/extra")).status_code == 409


async def test_what_cannot_be_added_is_said_at_once(admin):
    async def refusal(**model):
        answer = await admin.post(MODELS, json=model)
        return answer.status_code, answer.json()

    assert (await refusal(engine="fake", task="generate", id="first"))[0] == 409
    status, body = await refusal(engine="openvino", model="/nowhere/x.gguf")
    assert (status, "no file or folder here" in body["message"]) == (400, True)
    upstream = {"urls": ["http://10.0.0.1/v1"], "api_key_env": "HOME"}
    status, body = await refusal(id="elsewhere", upstream=upstream)
    assert (status, "in the settings file only" in body["message"]) == (400, True)
    assert (await refusal(slots=0, model="x"))[0] == 422
    assert (await refusal(modle="x"))[0] == 422
    assert (await refusal())[0] == 422


async def test_a_job_that_fails_says_why_and_serves_nothing(admin, tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF, or is it?")
    job = await added(admin, engine="openvino", model=str(tmp_path / "broken.gguf"))
    assert job["state"] == "failed"
    assert "broken.gguf" in job["error"]
    assert "broken" not in await states(admin)
    assert [one["id"] for one in (await admin.get(JOBS)).json()["data"]] == [job["id"]]
    assert (await admin.post(f"{JOBS}/{job['id']}/cancel")).json()["state"] == "failed"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{MODELS}/nobody"),
        ("POST", f"{MODELS}/nobody/load"),
        ("POST", f"{MODELS}/nobody/unload"),
        ("DELETE", f"{MODELS}/nobody"),
        ("GET", f"{JOBS}/nobody"),
        ("POST", f"{JOBS}/nobody/cancel"),
    ],
)
async def test_what_is_not_there_is_not_found(admin, method, path):
    answer = await admin.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (404, "not_found")


async def test_an_api_key_does_not_manage_models(admin):
    for method, path in (("GET", MODELS), ("POST", f"{MODELS}/first/unload"), ("GET", JOBS)):
        answer = await admin.request(method, path, headers={"authorization": f"Bearer {KEY}"})
        assert answer.status_code == 403
