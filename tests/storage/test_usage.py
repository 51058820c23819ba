from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.support.billing import KEY, ORGANIZATION, OTHER_WORKSPACE, WORKSPACE, outcome, request
from tests.support.clock import FakeClock
from tramontane.billing.entities import Status
from tramontane.billing.service import BillingService
from tramontane.billing.usage.report import By, UsageQuery
from tramontane.billing.usage.requests import RequestQuery
from tramontane.billing.usage.service import UsageService
from tramontane.core.principal import Principal

pytestmark = pytest.mark.anyio

OTHER_KEY = "30000000-0000-0000-0000-000000000002"
YEAR = UsageQuery(date(2026, 1, 1), date(2026, 12, 31))


def at(month, day, hour=12):
    return int(datetime(2026, month, day, hour, tzinfo=UTC).timestamp())


@pytest.fixture
async def usage(database):
    """Seven requests: what they are stands here, so that every expected figure below can be counted."""
    billing = BillingService(database, FakeClock())
    await billing.start()
    other = Principal(ORGANIZATION, OTHER_WORKSPACE, OTHER_KEY)
    for asked, ended in [
        (request(created=at(10, 31, 23)), outcome()),  # 0.005 USD
        (request(created=at(11, 1, 0)), outcome()),  # 0.005
        (request(created=at(11, 1, 23)), outcome(cached=1000)),  # 0.0032
        (request(created=at(11, 2), model_asked="mistral-embed"), outcome(2000, 0)),  # 0.0002
        (request(created=at(11, 2), model_asked="my-model"), outcome(1, 1, status=Status.ERROR)),
        (request(created=at(11, 2), principal=other), outcome(10, 0, status=Status.CANCELLED)),  # 0.00002
        (request(created=at(11, 3), model_asked="smollm2-135m-instruct"), outcome(7, 7)),  # 0
    ]:
        await billing.settle(await billing.reserve(asked), ended)
    await billing.close()
    return UsageService(database)


def query(by, **changes):
    return UsageQuery(**({"since": YEAR.since, "until": YEAR.until, "by": by} | changes))


async def costs(usage, query):
    return [(line.of, line.requests, line.cost) for line in (await usage.report(query)).lines]


async def test_by_day(usage):
    assert await costs(usage, query(By.DAY)) == [
        ("2026-10-31", 1, Decimal("0.005")),
        ("2026-11-01", 2, Decimal("0.0082")),
        ("2026-11-02", 3, Decimal("0.00022")),
        ("2026-11-03", 1, Decimal(0)),
    ]


async def test_by_month(usage):
    assert await costs(usage, query(By.MONTH)) == [
        ("2026-10", 1, Decimal("0.005")),
        ("2026-11", 6, Decimal("0.00842")),
    ]


async def test_by_model_dearest_first(usage):
    assert await costs(usage, query(By.MODEL)) == [
        ("mistral-large-2411", 4, Decimal("0.01322")),
        ("mistral-embed", 1, Decimal("0.0002")),
        ("my-model", 1, Decimal(0)),
        ("smollm2-135m-instruct", 1, Decimal(0)),
    ]


async def test_by_key_and_workspace(usage):
    assert await costs(usage, query(By.KEY)) == [
        (KEY, 6, Decimal("0.0134")),
        (OTHER_KEY, 1, Decimal("0.00002")),
    ]
    assert [of for of, *_ in await costs(usage, query(By.WORKSPACE))] == [WORKSPACE, OTHER_WORKSPACE]


async def test_the_total_counts_everything(usage):
    total = (await usage.report(query(By.MODEL))).total

    assert (total.requests, total.errors, total.cancelled) == (7, 1, 1)
    assert (total.prompt_tokens, total.cached_tokens, total.completion_tokens) == (5018, 1000, 1508)
    assert (total.cost, total.unpriced) == (Decimal("0.01342"), 1)
    # The built-in model costs nothing, and the hosted API has no such model.
    assert (total.hosted_cost, total.hosted_unpriced) == (Decimal("0.01342"), 2)


@pytest.mark.parametrize(
    ("changes", "requests"),
    [
        ({"since": date(2026, 11, 2), "until": date(2026, 11, 2)}, 3),
        ({"workspace_id": OTHER_WORKSPACE}, 1),
        ({"key_id": KEY}, 6),
        ({"model": "mistral-embed"}, 1),
        ({"organization_id": ORGANIZATION}, 7),
        ({"organization_id": OTHER_WORKSPACE}, 0),
    ],
)
async def test_filters(usage, changes, requests):
    assert (await usage.report(query(By.DAY, **changes))).total.requests == requests


async def test_tokens_of_a_month_are_what_was_used_and_not_cached(usage):
    served = "smollm2-135m-instruct"

    # 1500 + (500) + 2000 + 2 + 14; the other workspace's 10 and October's 1500 are not among them
    assert await usage.tokens_of_month(WORKSPACE, served, date(2026, 11, 1)) == 4016
    assert await usage.tokens_of_month(WORKSPACE, served, date(2026, 9, 1)) == 0


async def test_requests_come_newest_first_page_by_page_without_gaps(usage):
    seen, before = [], None
    while True:
        page = await usage.requests(RequestQuery(limit=2, before=before))
        seen += page.requests
        before = page.next_before
        if before is None:
            break

    assert len({row.request_id for row in seen}) == 7
    assert [(row.created_at, row.request_id) for row in seen] == sorted(
        ((row.created_at, row.request_id) for row in seen), reverse=True
    )


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"status": "error"}, 1),
        ({"model": "mistral-embed"}, 1),
        ({"model": "smollm2-135m-instruct"}, 7),
        ({"key_id": OTHER_KEY}, 1),
        ({"workspace_id": WORKSPACE, "status": "ok"}, 5),
        ({"organization_id": ORGANIZATION}, 7),
    ],
)
async def test_filters_of_requests(usage, changes, number):
    assert len((await usage.requests(RequestQuery(**changes))).requests) == number


@pytest.mark.parametrize(
    "asked",
    [
        {"status": Status.OK},
        {"status": Status.ERROR},
        {"status": Status.CANCELLED},
        {"key_id": OTHER_KEY},
        {"key_id": KEY, "status": Status.OK},
        {"model": "mistral-embed"},
        {"model": "smollm2-135m-instruct", "workspace_id": WORKSPACE},
        {"model": "nothing"},
        {"organization_id": OTHER_KEY, "status": Status.OK},
    ],
)
async def test_pages_of_some_requests_are_those_of_all_that_fit(usage, asked):
    everything = (await usage.requests(RequestQuery())).requests
    fit = [row for row in everything if fits(row, **asked)]

    found, before = [], None
    while page := await usage.requests(RequestQuery(**asked, before=before, limit=1)):
        found += page.requests
        if (before := page.next_before) is None:
            break

    assert found == fit


def fits(row, model=None, **values):
    has_model = model is None or model in {row.model_asked, row.model_served}
    return has_model and all(getattr(row, name) == value for name, value in values.items())
