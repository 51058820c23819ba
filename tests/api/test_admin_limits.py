"""The admin API's limits on real accounts."""

from dataclasses import replace

import httpx
import pytest

from tests.api.fakes import CHAT_PROFILE, EMBEDDING_PROFILE, fake_services
from tests.support.clock import FakeClock
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.api.app import create_app
from tramontane.limits.memory import MemoryLimitStore
from tramontane.limits.override_service import OverrideService
from tramontane.limits.service import LimitsService
from tramontane.settings import Settings

pytestmark = pytest.mark.anyio

ADMIN = "the-operators-admin-key"
NOBODY = "01890000-0000-7000-8000-000000000000"
PATH = f"/v1/admin/workspaces/{DEFAULT_WORKSPACE_ID}/limits"
NOTHING = {
    "requests_per_minute": None,
    "burst": None,
    "tokens_per_minute": None,
    "tokens_per_month": None,
}
EXPERIMENT = {
    "requests_per_minute": 60,
    "burst": 1,
    "tokens_per_minute": 500_000,
    "tokens_per_month": "unlimited",
}


async def no_tokens(*_of):
    return 0


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def services(database, clock):
    accounts = AccountsService(database, clock, operator_admin_key=ADMIN)
    await accounts.ensure_default()
    return replace(
        fake_services(),
        accounts=accounts,
        workspaces=WorkspaceService(database, clock),
        limits=OverrideService(database),
        clock=clock,
    )


@pytest.fixture
async def client(services):
    """Holds the operator's admin key."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(services, Settings())),
        base_url="http://test",
        headers={"authorization": f"Bearer {ADMIN}"},
    ) as client:
        yield client


async def test_the_rate_limit_has_the_hosted_shape(client):
    answer = await client.get("/v1/admin/rate-limit")

    tokens = {"tokens_per_minute": 500_000, "tokens_per_month": None}
    assert answer.json() == {
        "requests_per_second": 1,
        "tokens_limits_by_model": {CHAT_PROFILE.id: tokens, EMBEDDING_PROFILE.id: tokens},
    }


async def test_the_rate_limit_of_another_workspace(client, services):
    other = await services.workspaces.create(
        (await services.accounts.default_workspace()).organization_id, "other", "scale"
    )
    await services.limits.change(other.id, CHAT_PROFILE.id, {"tokens_per_month": 5})
    answer = await client.get("/v1/admin/rate-limit", params={"workspace_id": other.id})

    assert answer.json()["requests_per_second"] == 6
    assert answer.json()["tokens_limits_by_model"][CHAT_PROFILE.id]["tokens_per_month"] == 5


async def test_limits_are_those_of_the_plan_until_they_are_set(client):
    answer = await client.get(PATH)

    assert answer.json() == {
        "object": "limits",
        "workspace_id": DEFAULT_WORKSPACE_ID,
        "plan": "experiment",
        "limits": EXPERIMENT,
        "override": NOTHING,
        "models": {},
    }


async def test_what_is_set_holds_and_what_is_left_out_stays(client, database, clock):
    await client.patch(PATH, json={"tokens_per_minute": "unlimited", "tokens_per_month": 1000})
    card = (await client.patch(PATH, json={"requests_per_minute": 600, "tokens_per_month": None})).json()

    assert card == (await client.get(PATH)).json()
    assert card["override"] == NOTHING | {"tokens_per_minute": "unlimited", "requests_per_minute": 600}
    assert card["limits"] == EXPERIMENT | {
        "requests_per_minute": 600,
        "burst": 10,
        "tokens_per_minute": "unlimited",
    }
    limits = LimitsService(database, MemoryLimitStore(clock), clock, no_tokens)
    headers = (await limits.admit(DEFAULT_WORKSPACE_ID, CHAT_PROFILE.id)).headers
    assert headers["x-ratelimit-limit-req-minute"] == "600"


async def test_a_model_is_known_by_any_of_its_ids(client):
    card = (await client.patch(f"{PATH}/{CHAT_PROFILE.aliases[0]}", json={"tokens_per_minute": 7})).json()

    assert card["models"] == {
        CHAT_PROFILE.id: {
            "limits": EXPERIMENT | {"tokens_per_minute": 7},
            "override": NOTHING | {"tokens_per_minute": 7},
        }
    }


async def test_figures_are_given_back_to_the_plan(client):
    await client.patch(PATH, json={"burst": 2})
    await client.patch(f"{PATH}/{CHAT_PROFILE.id}", json={"burst": 3})

    assert (await client.delete(PATH)).json()["override"] == NOTHING
    card = (await client.delete(f"{PATH}/{CHAT_PROFILE.id}")).json()
    assert (card["models"], card["limits"]) == ({}, EXPERIMENT)


@pytest.mark.parametrize(
    "body",
    [
        {"tokens_per_minute": -1},
        {"tokens_per_minute": "plenty"},
        {"burst": 0},
        {"requests_per_minute": 10**16},
        {"requests_per_second": 1},
    ],
)
async def test_what_is_no_figure_is_refused(client, body):
    answer = await client.patch(PATH, json=body)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", next(iter(body))]


async def test_a_burst_that_is_larger_than_the_minute_is_refused(client):
    answer = await client.patch(PATH, json={"burst": 61})

    assert answer.status_code == 400
    assert answer.json()["message"] == "burst must be at most requests_per_minute, 60, got 61"


async def test_what_is_not_there_is_not_found(client):
    assert (await client.get(f"/v1/admin/workspaces/{NOBODY}/limits")).status_code == 404
    assert (await client.get("/v1/admin/rate-limit", params={"workspace_id": NOBODY})).status_code == 404
    assert (await client.patch(f"{PATH}/gpt-4o", json={"burst": 1})).status_code == 404


@pytest.mark.parametrize("path", ["/v1/admin/rate-limit", PATH])
async def test_only_an_admin_key_may(client, path):
    assert (await client.get(path, headers={"authorization": "Bearer wrong"})).status_code == 401
