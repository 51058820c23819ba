import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import text

from tests.support.billing import (
    KEY,
    MODEL,
    NOVEMBER,
    ORGANIZATION,
    OTHER_WORKSPACE,
    WORKSPACE,
    audit,
    outcome,
    request,
    rows,
)
from tests.support.clock import FakeClock
from tramontane.billing.entities import Cost, Status
from tramontane.billing.prices import repository as price_repository
from tramontane.billing.prices.repository import EVERY_WORKSPACE, PriceOverride
from tramontane.billing.service import BillingService
from tramontane.billing.spending import repository as spending_repository
from tramontane.billing.spending.claims import Scope, SpendingLimit
from tramontane.core.money import Price
from tramontane.core.principal import Principal
from tramontane.errors import SpendingLimitError, StorageError, UnknownPriceError
from tramontane.storage.revision_cache import SECONDS
from tramontane.storage.tables import reservations

pytestmark = pytest.mark.anyio


@pytest.fixture
async def billing(database):
    billing = BillingService(database, FakeClock())
    await billing.start()
    yield billing
    await billing.close()


async def set_limit(database, amount, scope_id=WORKSPACE, scope=Scope.WORKSPACE):
    async with database.transaction(announces=True) as connection:
        limit = SpendingLimit(scope, scope_id, Decimal(amount))
        await spending_repository.set_limit(connection, limit, NOVEMBER)


async def set_price(database, model, figure, workspace_id=EVERY_WORKSPACE):
    price = Price.of(Decimal(figure), Decimal(figure))
    async with database.transaction(announces=True) as connection:
        await price_repository.add_override(connection, PriceOverride(workspace_id, model, 0, price))


async def run(billing, ended=None, **changes):
    return await billing.settle(await billing.reserve(request(**changes)), ended or outcome())


async def test_a_settled_request_is_one_row_with_all_that_is_known(billing, database):
    asked = request(metadata={"team": "search", "n": 1})
    charged = await billing.settle(
        await billing.reserve(asked),
        outcome(1000, 500, 400, duration=1.25, time_to_first_token=0.125),
    )

    # 600 * 2.00 + 400 * 0.20 + 500 * 6.00 USD per million
    assert charged == Cost(Decimal("0.00428"), Decimal("0.00428"))
    entry = (await audit(database))[asked.request_id]
    assert entry == {
        "request_id": asked.request_id,
        "created_at": NOVEMBER,
        "organization_id": ORGANIZATION,
        "workspace_id": WORKSPACE,
        "key_id": KEY,
        "endpoint": "chat",
        "stream": True,
        "model_asked": MODEL,
        "model_served": "smollm2-135m-instruct",
        "status": "ok",
        "error_code": None,
        "prompt_tokens": 1000,
        "cached_tokens": 400,
        "completion_tokens": 500,
        "input_price": Decimal(2),
        "cached_input_price": Decimal("0.2"),
        "output_price": Decimal(6),
        "cost": Decimal("0.00428"),
        "hosted_cost": Decimal("0.00428"),
        "first_token_ms": 125,
        "duration_ms": 1250,
        "metadata": '{"team":"search","n":1}',
    }


async def test_every_way_to_end_is_counted(billing, database):
    await run(billing)
    await run(billing, outcome(status=Status.ERROR, error_code="1000"))
    await run(billing, outcome(status=Status.CANCELLED))
    await run(billing, model_asked="my-own-model", created=NOVEMBER + 86_400)

    entries = await audit(database)
    assert sorted(entry["status"] for entry in entries.values()) == ["cancelled", "error", "ok", "ok"]


async def test_an_unknown_price_is_not_zero(billing, database):
    charged = await run(billing, model_asked="my-own-model")

    assert charged == Cost(None, None)
    [entry] = (await audit(database)).values()
    assert entry["cost"] is None
    assert entry["input_price"] is None


async def test_the_operators_price_is_charged_and_the_hosted_one_stands_beside_it(billing, database):
    await set_price(database, MODEL, 1)

    charged = await run(billing)

    assert charged == Cost(Decimal("0.0015"), Decimal("0.005"))


async def test_the_price_is_that_of_the_moment_of_the_request(billing, database):
    reservation = await billing.reserve(request())
    await set_price(database, MODEL, 1)

    assert (await billing.settle(reservation, outcome())).amount == Decimal("0.005")


async def test_settling_twice_bills_once(billing, database):
    reservation = await billing.reserve(request())

    await asyncio.gather(*(billing.settle(reservation, outcome()) for _ in range(5)))
    await billing.settle(reservation, outcome())

    assert len(await audit(database)) == 1


async def test_two_processes_that_settle_the_same_request_bill_it_once(billing, database, place):
    other_database = await place.open()
    other = BillingService(other_database, FakeClock())
    await other.start()
    reservations_ = [await billing.reserve(request()) for _ in range(20)]
    await asyncio.gather(
        *(service.settle(one, outcome()) for one in reservations_ for service in (billing, other))
    )
    await other.close()
    await other_database.close()

    assert len(await audit(database)) == 20


async def test_a_cancelled_caller_is_billed_all_the_same(billing, database):
    asked = request()
    settling = asyncio.create_task(billing.settle(await billing.reserve(asked), outcome()))
    await asyncio.sleep(0)
    settling.cancel()
    await asyncio.wait([settling])
    await billing.close()

    assert asked.request_id in await audit(database)


async def test_odd_texts_do_not_keep_a_row_from_being_written(billing, database):
    odd = "\0\ud800" + "x" * 300
    await run(billing, model_asked=odd, metadata={"odd": odd, "long": "y" * 10_000})

    [entry] = (await audit(database)).values()
    assert len(entry["model_asked"]) == 254
    assert entry["metadata"].startswith('{"omitted"')


async def test_the_ledger_is_append_only(billing, database):
    await run(billing)

    for statement in ("UPDATE ledger SET cost = 0", "DELETE FROM ledger"):
        with pytest.raises(StorageError, match="append-only"):
            async with database.transaction() as connection:
                await connection.execute(text(statement))
    assert len(await audit(database)) == 1


async def test_without_a_limit_nothing_is_written_before_a_request(billing, database):
    await set_limit(database, 0, OTHER_WORKSPACE)

    await billing.reserve(request())

    assert await rows(database, reservations) == []


async def test_a_request_that_could_overrun_the_limit_is_refused_and_says_when_it_may_run(billing, database):
    await set_limit(database, "0.01")  # the worst case of `request()` is 0.008
    await run(billing)  # really 0.005

    with pytest.raises(SpendingLimitError) as caught:
        await billing.reserve(request())

    message = caught.value.message
    assert caught.value.status == 402
    assert "monthly spending limit of this workspace ($0.01) would be exceeded: $0.005 spent" in message
    assert "may cost up to $0.008; a smaller max_tokens makes that less" in message
    assert "resets on 2026-12-01T00:00:00Z" in message
    await run(billing, max_completion_tokens=500)


async def test_a_limit_that_is_used_up_says_so(billing, database):
    await set_limit(database, "0.008")
    await run(billing, outcome(1000, 1000))

    with pytest.raises(SpendingLimitError, match=r"\(\$0.008\) is reached: \$0.008 spent. It resets on"):
        await billing.reserve(request())


async def test_a_new_month_begins_with_nothing_spent(billing, database):
    await set_limit(database, "0.008")
    await run(billing, outcome(1000, 1000))

    await run(billing, created=int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()))

    assert len(await audit(database)) == 2


async def test_the_organizations_limit_holds_for_all_its_workspaces(billing, database):
    await set_limit(database, "0.012", ORGANIZATION, Scope.ORGANIZATION)
    await billing.reserve(request())

    with pytest.raises(SpendingLimitError, match=r"this organization .* \$0.008 reserved by running"):
        await billing.reserve(request(principal=Principal(ORGANIZATION, OTHER_WORKSPACE, KEY)))


async def test_a_released_reservation_leaves_no_trace(billing, database):
    await set_limit(database, "0.008")
    billing.release(await billing.reserve(request()))

    await run(billing)

    assert len(await audit(database)) == 1
    assert await rows(database, reservations) == []


async def test_a_reservation_whose_caller_has_left_is_released(billing, database):
    await set_limit(database, "0.008")
    for _ in range(10):
        reserving = asyncio.create_task(billing.reserve(request()))
        await asyncio.sleep(0)
        reserving.cancel()
        await asyncio.wait([reserving])

    await run(billing)

    await audit(database)
    assert await rows(database, reservations) == []


async def test_an_unpriced_model_is_refused_under_a_limit_and_free_ones_are_not(billing, database):
    await set_limit(database, 0)

    with pytest.raises(UnknownPriceError, match=r"Model my-own-model has no price.*prices set my-own-model"):
        await billing.reserve(request(model_asked="my-own-model"))
    assert (await run(billing, model_asked="smollm2-135m-instruct")).amount == 0


async def test_a_limit_that_is_raised_holds_at_once(billing, database):
    await set_limit(database, 0)
    with pytest.raises(SpendingLimitError):
        await billing.reserve(request())

    await set_limit(database, 1)

    await billing.reserve(request())


async def test_a_limit_that_nobody_announced_holds_a_little_later(database):
    """The process that set it died before it could say so."""
    clock = FakeClock()
    billing = BillingService(database, clock)
    await billing.start()
    await billing.reserve(request())
    async with database.transaction() as connection:
        limit = SpendingLimit(Scope.WORKSPACE, WORKSPACE, Decimal(0))
        await spending_repository.set_limit(connection, limit, NOVEMBER)

    clock.advance(SECONDS)

    with pytest.raises(SpendingLimitError):
        await billing.reserve(request())
    await billing.close()


async def test_what_was_spent_before_a_limit_was_set_counts(billing, database):
    await run(billing)
    await set_limit(database, "0.009")

    with pytest.raises(SpendingLimitError, match=r"\$0.005 spent"):
        await billing.reserve(request())


async def test_an_overrun_that_really_happened_is_billed_in_full(billing, database):
    """An engine that makes more than it said: the ledger tells the truth."""
    await set_limit(database, "0.01")
    reservation = await billing.reserve(request())

    charged = await billing.settle(reservation, outcome(1000, 10_000))

    assert charged.amount == Decimal("0.062")
    await audit(database)
    with pytest.raises(SpendingLimitError, match="is reached"):
        await billing.reserve(request())


async def test_200_concurrent_requests_against_a_limit_worth_ten(billing, database):
    await set_limit(database, "0.05")  # ten times what a request really costs

    async def run_one():
        try:
            reservation = await billing.reserve(request())
        except SpendingLimitError:
            return None
        await asyncio.sleep(0)
        return await billing.settle(reservation, outcome())

    charged = [cost for cost in await asyncio.gather(*(run_one() for _ in range(200))) if cost]

    assert sum(cost.amount for cost in charged) <= Decimal("0.05")
    assert len(charged) >= 6  # as many as fit in their worst case, at least
    entries = await audit(database)
    assert len(entries) == len(charged)
    assert await rows(database, reservations) == []


async def test_the_limit_is_used_to_its_end_when_requests_come_again(billing, database):
    await set_limit(database, "0.05")
    charged = 0
    while True:
        try:
            await run(billing, max_completion_tokens=500)
        except SpendingLimitError:
            break
        charged += 1

    assert charged == 10


async def test_limits_and_totals_hold_with_rows_of_many_kinds(billing, database):
    await set_limit(database, 5)
    kinds = [
        replace(request(), model_asked=model, created=NOVEMBER + day * 86_400, stream=stream)
        for model in (MODEL, "mistral-embed", "zai-glm-5-2")
        for day in (0, 5, 20)
        for stream in (True, False)
    ]

    await asyncio.gather(
        *(
            run(billing, **{f: getattr(k, f) for f in ("model_asked", "created", "stream")})
            for k in kinds
            for _ in range(5)
        )
    )

    assert len(await audit(database)) == len(kinds) * 5
