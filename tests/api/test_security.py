"""The claims of docs/security.md that are about all routes at once: none can be forgotten."""

import logging

import httpx
import pytest

from tramontane.accounts import keys, service
from tramontane.bootstrap import build
from tramontane.settings import Settings

pytestmark = pytest.mark.anyio

KEY, ADMIN_KEY = "the-operators-api-key", "the-operators-admin-key"
SECRET = "a prompt that nobody else may read"
OPEN = {"/health/live", "/health/ready", "/openapi.json"}
"""What needs no key, and says nothing of anybody. `/metrics` has a test of its own."""


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
async def running(tmp_path):
    settings = Settings(data_dir=tmp_path, engine="fake", plan="unlimited", api_key=KEY, admin_key=ADMIN_KEY)
    async with build(settings, []) as server:
        yield server


@pytest.fixture
async def client(running):
    """Somebody from another machine, without a key."""
    transport = httpx.ASGITransport(running.app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def operations(client):
    """Method and path of everything that the document has, with values for what stands in braces."""
    document = (await client.get("/openapi.json")).json()
    return [
        (method.upper(), path, path.replace("{", "").replace("}", ""))
        for path, methods in document["paths"].items()
        for method in methods
        if path not in OPEN
    ]


async def everything_made(client):
    """What another organization has, to be asked for by the wrong hands: ids by the name in the path."""
    made = await client.post("/v1/admin/workspaces", json={"name": "theirs"}, headers=bearer(ADMIN_KEY))
    workspace = made.json()["id"]
    body = {"workspace_id": workspace, "name": "theirs"}
    key = (await client.post("/v1/admin/api-keys", json=body, headers=bearer(ADMIN_KEY))).json()
    return workspace, key


async def test_every_route_but_the_open_ones_needs_a_key(client):
    asked = await operations(client)
    assert len(asked) > 25
    for method, _, path in asked:
        for headers in ({}, bearer("wrong"), {"authorization": f"Basic {KEY}"}, {"cookie": f"key={KEY}"}):
            answer = await client.request(method, path, headers=headers, json={})
            assert answer.status_code == 401, (method, path, headers)
            assert answer.json() == {"detail": "Invalid API Key"}


async def test_no_route_of_the_admin_api_opens_to_an_api_key_and_no_model_to_an_admin_key(client):
    for method, _, path in await operations(client):
        is_admin = path.startswith("/v1/admin/") or path == "/metrics"
        wrong, status = (KEY, 403) if is_admin else (ADMIN_KEY, 401)
        answer = await client.request(method, path, headers=bearer(wrong), json={})
        assert answer.status_code == status, (method, path)


async def test_a_key_of_one_workspace_shows_and_changes_nothing_of_another(client):
    workspace, key = await everything_made(client)
    theirs = key["key"]
    chat = {"model": "fake", "messages": [{"role": "user", "content": SECRET}], "prompt_cache_key": "shared"}
    await client.post("/v1/chat/completions", json=chat, headers=bearer(KEY))
    for method, template, _ in await operations(client):
        path = template.replace("{workspace_id}", workspace).replace("{key_id}", key["id"])
        answer = await client.request(method, path.replace("{model_id}", "fake"), headers=bearer(theirs))
        assert SECRET not in answer.text
        if template.startswith("/v1/admin/"):
            assert answer.status_code == 403, (method, template)
    usage = await client.get("/v1/admin/usage/report?by=workspace", headers=bearer(ADMIN_KEY))
    assert workspace not in usage.text  # what the first asked is not on the other's bill


async def test_every_answer_is_typed_and_never_guessed(client):
    for method, _, path in [*await operations(client), ("GET", "", "/nothing"), ("GET", "", "/health/live")]:
        answer = await client.request(method, path, headers=bearer(KEY), json={})
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["mistral-correlation-id"]
        assert "server" not in answer.headers
        assert "set-cookie" not in answer.headers


async def test_pages_of_other_origins_have_no_credentials_to_abuse(client):
    answer = await client.get("/v1/models", headers=bearer(KEY) | {"origin": "https://evil.test"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("stream", [False, True])
async def test_prompts_answers_and_keys_are_in_no_log_and_no_metric(client, caplog, stream):
    caplog.set_level(logging.DEBUG)
    chat = {"model": "fake", "messages": [{"role": "user", "content": SECRET}], "stream": stream}
    answer = await client.post("/v1/chat/completions", json=chat, headers=bearer(KEY))
    assert answer.status_code == 200
    refused = {"model": "fake", "messages": [{"role": "nobody", "content": SECRET}]}
    await client.post("/v1/chat/completions", json=refused, headers=bearer(KEY))
    await client.get("/v1/models", headers=bearer("tm_" + SECRET.replace(" ", "")))
    metrics = await client.get("/metrics", headers=bearer(ADMIN_KEY))
    for text in (caplog.text, metrics.text):
        assert metrics.status_code == 200
        assert SECRET not in text
        assert SECRET.replace(" ", "") not in text
        assert KEY not in text
        assert ADMIN_KEY not in text


async def test_a_fault_of_ours_shows_nothing_of_itself(running, client, monkeypatch, caplog):
    async def fail(*_of):
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(service.AccountsService, "authenticate", fail)
    answer = await client.get("/v1/models", headers=bearer(KEY))
    assert answer.status_code == 500
    assert answer.json()["message"] == "Service unavailable."
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text


async def test_the_operators_keys_are_compared_in_constant_time_by_their_digests(client, monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(service.hmac, "compare_digest", compare)
    assert (await client.get("/v1/models", headers=bearer(KEY))).status_code == 200
    assert compared == [(keys.digest(KEY), keys.digest(KEY))]
