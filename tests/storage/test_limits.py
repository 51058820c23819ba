"""The service of limits: its database, headers and refusals."""

import asyncio
from datetime import UTC, date, datetime

import pytest

from tests.support.clock import FakeClock
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID
from tramontane.accounts.service import AccountsService
from tramontane.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
)
from tramontane.limits.figures import Override
from tramontane.limits.memory import MemoryLimitStore
from tramontane.limits.override_service import OverrideService
from tramontane.limits.service import LimitsService
from tramontane.storage.tables import workspaces

pytestmark = pytest.mark.anyio

NOVEMBER_30 = datetime(2026, 11, 30, 23, 0, tzinfo=UTC).timestamp()
MODEL = "smollm2-135m-instruct"


class Ledger:
    """What the ledger says of the month."""

    def __init__(self, tokens=0):
        self.tokens = tokens
        self.asked = []

    async def month_tokens(self, workspace_id, model, month):
        self.asked.append((workspace_id, model, month))
        return self.tokens


@pytest.fixture
def clock():
    return FakeClock(now=NOVEMBER_30)


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
async def workspace_id(database, clock):
    await AccountsService(database, clock).ensure_default("experiment")
    return DEFAULT_WORKSPACE_ID


@pytest.fixture
def overrides(database):
    return OverrideService(database)


@pytest.fixture
def limits(database, clock, ledger):
    return LimitsService(database, MemoryLimitStore(clock), clock, ledger.month_tokens)


async def put_on(database, plan):
    async with database.transaction(announces=True) as connection:
        await connection.execute(workspaces.update().values(plan=plan))


async def refusal(limits, workspace_id, model=MODEL):
    with pytest.raises(RateLimitError) as caught:
        await limits.admit(workspace_id, model)
    return caught.value


async def test_headers_are_the_hosted_ones(limits, workspace_id):
    admitted = await limits.admit(workspace_id, MODEL)

    assert admitted.headers == {
        "x-ratelimit-limit-req-minute": "60",
        "x-ratelimit-remaining-req-minute": "59",
        "x-ratelimit-limit-tokens-minute": "500000",
        "x-ratelimit-remaining-tokens-minute": "500000",
    }
    assert await admitted.charge(159) == {
        "x-ratelimit-limit-req-minute": "60",
        "x-ratelimit-remaining-req-minute": "59",
        "x-ratelimit-limit-tokens-minute": "500000",
        "x-ratelimit-remaining-tokens-minute": "499841",
        "x-ratelimit-tokens-query-cost": "159",
    }


async def test_a_request_that_cost_nothing_says_so(limits, workspace_id):
    charged = await (await limits.admit(workspace_id, MODEL)).charge(0)

    assert charged["x-ratelimit-tokens-query-cost"] == "0"
    assert charged["x-ratelimit-remaining-tokens-minute"] == "500000"


async def test_embeddings_show_requests_only_but_their_tokens_count(limits, workspace_id, clock):
    admitted = await limits.admit(workspace_id, MODEL, shows_tokens=False)
    shown = {"x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "59"}
    assert admitted.headers == shown
    assert await admitted.charge(100) == shown

    clock.advance(1)
    headers = (await limits.admit(workspace_id, MODEL)).headers
    assert headers["x-ratelimit-remaining-tokens-minute"] == "499900"


async def test_a_refusal_has_the_hosted_body_the_limit_that_is_reached_and_the_wait(limits, workspace_id):
    await limits.admit(workspace_id, MODEL)
    error = await refusal(limits, workspace_id)

    assert error.status == 429
    assert error.body() == {
        "object": "error",
        "message": "Rate limit exceeded",
        "type": "rate_limited",
        "param": None,
        "code": "1300",
        "raw_status_code": 429,
    }
    assert error.headers == {
        "x-ratelimit-limit-req-minute": "60",
        "x-ratelimit-remaining-req-minute": "0",
        "retry-after": "1",
    }


async def test_whoever_waits_for_tokens_as_long_as_told_is_admitted(limits, workspace_id, clock):
    await (await limits.admit(workspace_id, MODEL)).charge(600_000)
    clock.advance(1.25)
    error = await refusal(limits, workspace_id)
    assert error.headers == {
        "x-ratelimit-limit-tokens-minute": "500000",
        "x-ratelimit-remaining-tokens-minute": "0",
        "retry-after": "59",
    }

    clock.advance(58)
    await refusal(limits, workspace_id)
    clock.advance(1)
    await limits.admit(workspace_id, MODEL)


async def test_of_two_limits_that_are_reached_the_longer_wait_counts(limits, workspace_id):
    await (await limits.admit(workspace_id, MODEL)).charge(500_000)
    error = await refusal(limits, workspace_id)

    assert error.headers["x-ratelimit-remaining-req-minute"] == "0"
    assert error.headers["x-ratelimit-remaining-tokens-minute"] == "0"
    assert error.headers["retry-after"] == "60"


async def test_a_month_that_is_spent_ends(limits, overrides, workspace_id, clock, ledger):
    await overrides.change(workspace_id, None, {"tokens_per_month": 1000})
    ledger.tokens = 900
    admitted = await limits.admit(workspace_id, MODEL)
    assert ledger.asked == [(workspace_id, MODEL, date(2026, 11, 1))]
    assert admitted.headers["x-ratelimit-limit-tokens-month"] == "1000"
    assert admitted.headers["x-ratelimit-remaining-tokens-month"] == "100"
    assert (await admitted.charge(150))["x-ratelimit-remaining-tokens-month"] == "0"

    clock.advance(60)
    ledger.tokens = 1050
    error = await refusal(limits, workspace_id)
    assert error.headers["x-ratelimit-remaining-tokens-month"] == "0"
    assert "x-ratelimit-limit-req-minute" not in error.headers

    clock.advance(int(error.headers["retry-after"]))
    ledger.tokens = 0
    assert (await limits.admit(workspace_id, MODEL)).headers["x-ratelimit-remaining-tokens-month"] == "1000"
    assert ledger.asked[-1] == (workspace_id, MODEL, date(2026, 12, 1))


async def test_a_limit_of_zero_lets_nothing_through_and_no_waiting_helps(limits, overrides, workspace_id):
    await overrides.change(workspace_id, MODEL, {"requests_per_minute": 0})
    error = await refusal(limits, workspace_id)

    assert error.headers == {
        "x-ratelimit-limit-req-minute": "0",
        "x-ratelimit-remaining-req-minute": "0",
    }
    await limits.admit(workspace_id, "another-model")


async def test_unlimited_is_unlimited_and_says_nothing(limits, workspace_id, database):
    await put_on(database, "unlimited")
    for _ in range(1000):
        admitted = await limits.admit(workspace_id, MODEL)
    assert admitted.headers == {}
    assert await admitted.charge(10**9) == {}


async def test_another_plan_holds_from_the_next_request_on(limits, workspace_id, database):
    await limits.admit(workspace_id, MODEL)
    await refusal(limits, workspace_id)
    await put_on(database, "scale")

    headers = (await limits.admit(workspace_id, MODEL)).headers
    assert headers["x-ratelimit-limit-req-minute"] == "360"
    assert headers["x-ratelimit-remaining-req-minute"] == "358"


async def test_an_override_of_another_process_holds_from_the_next_request_on(
    place, limits, workspace_id, clock, ledger
):
    await limits.admit(workspace_id, MODEL)
    other_database = await place.open()
    await OverrideService(other_database).change(workspace_id, MODEL, {"requests_per_minute": 600})
    await other_database.close()

    async def admits():
        return (await limits.admit(workspace_id, MODEL)).headers["x-ratelimit-limit-req-minute"]

    for _ in range(6000):  # a notification of PostgreSQL takes a moment
        try:
            assert await admits() == "600"
        except RateLimitError:
            await asyncio.sleep(0.01)
        else:
            return
    pytest.fail("the override has not come through")


async def test_overrides_are_changed_figure_by_figure_and_given_back(overrides, workspace_id):
    await overrides.change(workspace_id, None, {"tokens_per_minute": "unlimited", "burst": 1})
    await overrides.change(workspace_id, MODEL, {"requests_per_minute": 120, "tokens_per_month": 5})
    found = await overrides.change(workspace_id, MODEL, {"tokens_per_month": None})

    assert found == await overrides.get(workspace_id)
    assert found.plan == "experiment"
    assert found.overrides == {
        None: Override(tokens_per_minute="unlimited", burst=1),
        MODEL: Override(requests_per_minute=120),
    }
    await overrides.change(workspace_id, None, {"tokens_per_minute": None, "burst": None})
    assert set((await overrides.get(workspace_id)).overrides) == {MODEL}


async def test_a_burst_larger_than_the_minute_is_refused_and_changes_nothing(overrides, workspace_id):
    with pytest.raises(InvalidRequestError, match="at most requests_per_minute, 60, got 61"):
        await overrides.change(workspace_id, None, {"burst": 61})
    with pytest.raises(InvalidRequestError, match="unlimited"):
        await overrides.change(workspace_id, None, {"burst": 1, "requests_per_minute": "unlimited"})

    assert (await overrides.get(workspace_id)).overrides == {}


async def test_a_workspace_that_is_not_there_has_no_limits(limits, overrides, workspace_id):
    nobody = "00000000-0000-7000-8000-00000000000f"

    with pytest.raises(NotFoundError, match=nobody):
        await overrides.get(nobody)
    with pytest.raises(NotFoundError, match=nobody):
        await overrides.change(nobody, None, {"burst": 1})
    with pytest.raises(AuthenticationError):
        await limits.admit(nobody, MODEL)


async def test_a_plan_of_another_release_is_named(limits, workspace_id, database):
    await put_on(database, "galactic")
    with pytest.raises(ConfigurationError, match=r"'galactic'.*experiment, scale, unlimited"):
        await limits.admit(workspace_id, MODEL)
