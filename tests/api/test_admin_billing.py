"""The admin API of spending limits and usage, on a real ledger."""

import csv
import io
from dataclasses import replace

import httpx
import pytest

from tests.api.fakes import fake_services
from tests.support.billing import NOVEMBER, outcome, request
from tests.support.clock import FakeClock
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID
from tramontane.accounts.key_service import KeyService
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.api.app import create_app
from tramontane.billing.prices.service import PriceService
from tramontane.billing.service import BillingService
from tramontane.billing.spending.service import SpendingService
from tramontane.billing.usage.service import UsageService
from tramontane.core.principal import Principal
from tramontane.errors import SpendingLimitError
from tramontane.settings import Settings

pytestmark = pytest.mark.anyio

ADMIN = "the-operators-admin-key"
NOBODY = "01890000-0000-7000-8000-000000000000"
KEY = "30000000-0000-0000-0000-000000000001"
OURS = Principal(DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, KEY)
LIMIT, USAGE, REPORT = "/v1/admin/spend-limit", "/v1/admin/usage", "/v1/admin/usage/report"


@pytest.fixture
def clock():
    return FakeClock(NOVEMBER)


@pytest.fixture
async def client(database, clock):
    """Holds the operator's admin key."""
    accounts = AccountsService(database, clock, operator_admin_key=ADMIN)
    await accounts.ensure_default()
    services = replace(
        fake_services(),
        accounts=accounts,
        workspaces=WorkspaceService(database, clock),
        keys=KeyService(database, clock),
        prices=PriceService(database, clock),
        spending=SpendingService(database, clock),
        usage=UsageService(database),
        clock=clock,
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(services, Settings())),
        base_url="http://test",
        headers={"authorization": f"Bearer {ADMIN}"},
    ) as client:
        yield client


@pytest.fixture
async def billing(database, clock):
    billing = BillingService(database, clock)
    await billing.start()
    yield billing
    await billing.close()


async def run(billing, ended=None, **changes):
    reservation = await billing.reserve(request(principal=OURS, **changes))
    return await billing.settle(reservation, ended or outcome())


async def test_without_a_limit_the_hosted_shape_says_so(client, billing):
    await run(billing)

    assert (await client.get(LIMIT)).json() == {
        "limits": {
            "completion": {
                "no_monthly_limit": True,
                "monthly_limit_reached": False,
                "usage": 0.005,
                "vibe_usage": 0,
                "total_usage": 0.005,
                "usage_limit": None,
            },
            "last_payment_failure": False,
            "last_payment_failure_protection": None,
            "currency": "USD",
        }
    }


@pytest.mark.parametrize("workspace_id", [None, DEFAULT_WORKSPACE_ID])
async def test_a_limit_that_is_set_holds_at_once(client, billing, workspace_id):
    body = {"amount": 0.004, "no_monthly_limit": False, "workspace_id": workspace_id}

    answer = await client.post(LIMIT, json=body)

    assert answer.json()["limits"]["completion"]["usage_limit"] == 0.004
    with pytest.raises(SpendingLimitError):
        await run(billing)
    await client.post(LIMIT, json={"no_monthly_limit": True, "workspace_id": workspace_id})
    await run(billing)


async def test_a_limit_that_is_used_up_is_reached(client, billing):
    await run(billing)
    params = {"workspace_id": DEFAULT_WORKSPACE_ID}

    answer = await client.post(LIMIT, json={"amount": 0.005, **params})

    assert answer.json()["limits"]["completion"]["monthly_limit_reached"] is True
    assert (await client.get(LIMIT, params=params)).json() == answer.json()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"amount": 1, "no_monthly_limit": True}, 422),
        ({"amount": "much"}, 422),
        ({"sum": 1}, 422),
        ({"amount": -1}, 400),
        ({"amount": 1e10}, 400),
        ({"amount": 1e-10}, 400),
    ],
)
async def test_a_limit_that_cannot_be_is_refused(client, body, status):
    assert (await client.post(LIMIT, json=body)).status_code == status


async def test_the_usage_of_a_month_in_the_hosted_shape(client, billing):
    await run(billing, outcome(1000, 500, 400))
    await run(billing, created=NOVEMBER - 31 * 86_400)

    answer = (await client.get(USAGE, params={"month": 11, "year": 2026})).json()

    models = answer["completion"]["models"]
    [(name, groups)] = models.items()
    assert name == "mistral-large-2411::smollm2-135m-instruct"
    assert {group: [entry["value"] for entry in entries] for group, entries in groups.items()} == {
        "input": [600],
        "cached": [400],
        "output": [500],
    }
    assert groups["input"][0]["timestamp"] == "2026-11-20"
    assert (answer["start_date"], answer["end_date"]) == ("2026-11-01T00:00:00Z", "2026-11-30T23:59:59Z")
    assert (answer["previous_month"], answer["next_month"]) == ("2026-10", "2026-12")
    assert answer["currency"] == "USD"
    assert {entry["billing_group"]: float(entry["price"]) for entry in answer["prices"]} == {
        "input": 2e-6,
        "cached": 2e-7,
        "output": 6e-6,
    }
    assert answer["tramontane"]["requests"] == 1
    assert answer["tramontane"]["cost_usd"] == "0.00428"


async def test_the_current_month_is_the_default(client, billing):
    await run(billing)

    assert (await client.get(USAGE)).json() == (await client.get(f"{USAGE}?month=11&year=2026")).json()


async def test_a_report_as_json_and_csv_says_the_same(client, billing):
    await run(billing)
    await run(billing, model_asked="=my-model")
    params = {"since": "2026-11-01", "until": "2026-11-30", "by": "model"}

    as_json = (await client.get(REPORT, params=params)).json()
    as_csv = await client.get(REPORT, params={**params, "format": "csv"})

    assert as_json["total"]["requests"] == 2
    assert as_json["total"]["unpriced"] == 1
    assert [line["cost_usd"] for line in as_json["lines"]] == ["0.005", "0"]
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert [row["cost_usd"] for row in rows] == ["0.005", "0"]
    assert rows[1]["model"] == "'=my-model"  # no formula for a spreadsheet


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        (LIMIT, {"workspace_id": NOBODY}, 404),
        (USAGE, {"workspace_id": NOBODY}, 404),
        (USAGE, {"workspace_id": "no-id"}, 404),
        (USAGE, {"month": 13}, 422),
        (REPORT, {"since": "2026-11-01"}, 422),
        (REPORT, {"since": "2026-11-01", "until": "2026-11-02", "key_id": "no-id"}, 422),
        (REPORT, {"since": "2026-11-01", "until": "2026-11-02", "by": "mood"}, 422),
    ],
)
async def test_what_is_not_there_or_cannot_be(client, path, params, status):
    assert (await client.get(path, params=params)).status_code == status


@pytest.mark.parametrize("path", [LIMIT, USAGE, REPORT])
async def test_only_admin_keys_open_it(client, path):
    assert (await client.get(path, headers={"authorization": "Bearer wrong"})).status_code == 401
