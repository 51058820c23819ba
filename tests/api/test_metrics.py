"""What Prometheus sees, on the whole server with the fake engine."""

import json

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tramontane.bootstrap import build
from tramontane.settings import Settings

pytestmark = pytest.mark.anyio

KEY, ADMIN_KEY = "the-api-key", "the-admin-key"
HERE, ELSEWHERE = ("127.0.0.1", 1), ("192.0.2.7", 1)
CHAT = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello there."}]}


@pytest.fixture
async def serve(tmp_path):
    """The application with these settings, as a client at an address sees it."""
    servers, clients = [], []

    async def start(client=HERE, **choices):
        settings = Settings(
            data_dir=tmp_path, engine="fake", plan="unlimited", api_key=KEY, admin_key=ADMIN_KEY, **choices
        )
        servers.append(build(settings, []))
        running = await servers[-1].__aenter__()
        transport = httpx.ASGITransport(running.app, client=client)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://test"))
        return clients[-1]

    yield start
    for client, server in zip(clients, servers, strict=True):
        await client.aclose()
        await server.__aexit__(None, None, None)


def bearer(key):
    return {"authorization": f"Bearer {key}"}


async def samples(client):
    """Value by name and labels."""
    text = (await client.get("/metrics")).text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_completion_counts_its_tokens_and_times_once(serve):
    client = await serve()
    for stream in (False, True):
        answer = await client.post(
            "/v1/chat/completions", json=CHAT | {"stream": stream}, headers=bearer(KEY)
        )
        whole = answer.text.splitlines()[-4].removeprefix("data: ") if stream else answer.text
        usage = json.loads(whole)["usage"]
    seen = await samples(client)
    of_chat = (("endpoint", "chat"), ("model", "fake"))
    assert seen["tramontane_requests_total", *of_chat, ("status", "ok")] == 2
    assert seen["tramontane_prompt_tokens_total", *of_chat] == 2 * usage["prompt_tokens"]
    assert seen["tramontane_completion_tokens_total", *of_chat] == 2 * usage["completion_tokens"]
    for name in ("time_to_first_token", "time_per_output_token", "queue", "request"):
        assert seen[f"tramontane_{name}_seconds_count", *of_chat] == 2
    assert seen["tramontane_ledger_rows_total",] == 2
    assert seen["tramontane_running", ("model", "fake")] == 0
    assert seen["tramontane_slots", ("model", "fake")] == 16


async def test_errors_are_counted_by_name_and_answers_by_route(serve):
    client = await serve()
    await client.post("/v1/chat/completions", json=CHAT | {"model": "no-such-model"}, headers=bearer(KEY))
    await client.get("/v1/models/no-such-model", headers=bearer(KEY))
    await client.get("/v1/models")
    await client.head("/health/live")
    seen = await samples(client)
    for error in ("InvalidModelError", "ModelNotFoundError", "AuthenticationError"):
        assert seen["tramontane_errors_total", ("error", error)] == 1
    answered = {
        tuple(value for _, value in labels) for name, *labels in seen if name.endswith("http_requests_total")
    }
    assert answered == {
        ("POST", "/v1/chat/completions", "400"),
        ("GET", "/v1/models/{model_id:path}", "404"),
        ("GET", "/v1/models", "401"),
        ("HEAD", "/health/live", "200"),
    }


async def test_nothing_that_a_client_sends_becomes_a_label(serve):
    client = await serve()
    marked = CHAT | {"model": "evil-model", "metadata": {"evil": "evil"}, "prompt_cache_key": "evil"}
    await client.post("/v1/chat/completions", json=marked, headers=bearer(KEY))
    await client.post("/v1/chat/completions", json=CHAT | {"user": "evil"}, headers=bearer("evil-key"))
    await client.request("EVIL", "/evil/evil?evil=evil")
    await client.get("/v1/models/evil", headers=bearer(KEY))
    assert "evil" not in (await client.get("/metrics")).text.lower()


@pytest.mark.parametrize(
    ("access", "client", "headers", "status"),
    [
        ("admin", HERE, {}, 200),
        ("admin", HERE, {"x-forwarded-for": "192.0.2.7"}, 401),
        ("admin", ("::1", 1), {}, 200),
        ("admin", ELSEWHERE, {}, 401),
        ("admin", ELSEWHERE, bearer(KEY), 403),
        ("admin", ELSEWHERE, bearer("wrong"), 401),
        ("admin", ELSEWHERE, bearer(ADMIN_KEY), 200),
        ("open", ELSEWHERE, {}, 200),
        ("off", HERE, bearer(ADMIN_KEY), 404),
    ],
)
async def test_who_may_read_them(serve, access, client, headers, status):
    answer = await (await serve(client, metrics=access)).get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("tramontane_info" in answer.text) == (status == 200)


async def test_openmetrics_for_those_who_ask_for_it(serve):
    client = await serve()
    answer = await client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
