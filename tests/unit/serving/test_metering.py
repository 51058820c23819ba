import asyncio
from dataclasses import dataclass, field

import pytest

from tests.support.clock import FakeClock
from tramontane.billing.entities import BillableRequest, Endpoint, Outcome, PriceKey, Reservation, Status
from tramontane.core.context import RequestContext
from tramontane.core.principal import Principal
from tramontane.core.usage import Usage
from tramontane.errors import (
    CapacityError,
    EngineError,
    EngineUnavailableError,
    LedgerUnavailableError,
    SpendingLimitError,
)
from tramontane.serving.metering import Metering, Order

pytestmark = pytest.mark.anyio

ORDER = Order(Endpoint.CHAT, "mistral-large-latest", stream=True, metadata={"team": "a"})
USED = Usage(prompt_tokens=10, completion_tokens=5, cached_tokens=4)


@dataclass
class FakeLimits:
    """Admits all; its headers say what it was told."""

    admitted: list = field(default_factory=list)
    charged: list = field(default_factory=list)
    headers: dict = field(default_factory=lambda: {"x-limit": "admitted"})

    async def admit(self, workspace_id, model, *, shows_tokens):
        self.admitted.append((workspace_id, model, shows_tokens))
        return self

    async def charge(self, tokens):
        self.charged.append(tokens)
        return {"x-limit": "charged"}


@dataclass
class FakeBilling:
    reserved: list = field(default_factory=list)
    settled: list = field(default_factory=list)
    released: list = field(default_factory=list)
    problem: Exception | None = None
    commit: asyncio.Event | None = None

    async def reserve(self, request):
        if isinstance(self.problem, SpendingLimitError):
            raise self.problem
        self.reserved.append(request)
        return Reservation(request, None, None)

    async def settle(self, reservation, outcome):
        if self.commit:
            await self.commit.wait()
        if self.problem:
            raise self.problem
        self.settled.append((reservation.request.request_id, outcome))

    def release(self, reservation):
        self.released.append(reservation.request.request_id)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def limits():
    return FakeLimits()


@pytest.fixture
def billing():
    return FakeBilling()


@pytest.fixture
def context(clock):
    return RequestContext("f" * 32, Principal("org", "team", "key"), 1_000, clock.monotonic())


@pytest.fixture
def metering(limits, billing, clock):
    return Metering(limits, billing, clock)


async def run(meter, error=None):
    """The middle of a request."""
    async with meter.running(10, 300, lambda: USED):
        meter.start()
        if error:
            raise error
        await meter.settle(USED)


async def test_a_whole_answer_is_admitted_reserved_charged_and_settled(
    metering, limits, billing, clock, context
):
    meter = await metering.admit(context, ORDER, "served")
    assert limits.admitted == [("team", "served", True)]
    assert context.headers == {"x-limit": "admitted"}
    async with meter.running(10, 300, lambda: Usage(0)):
        meter.start()
        clock.advance(1.5)
        meter.note_first_token()
        clock.advance(1)
        await meter.settle(USED)
    assert billing.reserved == [
        BillableRequest(
            request_id="f" * 32,
            principal=context.principal,
            endpoint=Endpoint.CHAT,
            stream=True,
            model_asked="mistral-large-latest",
            model_served="served",
            max_prompt_tokens=10,
            max_completion_tokens=300,
            created=1_000,
            metadata={"team": "a"},
        )
    ]
    assert limits.charged == [11]
    assert context.headers == {"x-limit": "charged"}
    assert billing.settled == [("f" * 32, Outcome(Status.OK, USED, duration=2.5, time_to_first_token=1.5))]
    assert not billing.released


async def test_the_headers_of_embeddings_do_not_speak_of_tokens(metering, limits, context):
    await metering.admit(context, Order(Endpoint.EMBEDDINGS, "mistral-embed"), "embed")
    assert limits.admitted == [("team", "embed", False)]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (EngineError("broken"), Status.ERROR, "internal_server_error"),
        (ZeroDivisionError(), Status.ERROR, "internal_server_error"),
        (asyncio.CancelledError(), Status.CANCELLED, None),
        (GeneratorExit(), Status.CANCELLED, None),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_was_used_until_it_broke_is_settled(
    metering, limits, billing, context, error, status, code
):
    meter = await metering.admit(context, ORDER, "served")
    with pytest.raises(type(error)):
        await run(meter, error)
    await metering.close()
    ((_, outcome),) = billing.settled
    assert (outcome.status, outcome.error_code, outcome.usage) == (status, code, USED)
    assert limits.charged == [11]


async def test_a_request_that_never_ran_is_released_and_not_billed(metering, billing, context):
    meter = await metering.admit(context, ORDER, "served")
    with pytest.raises(CapacityError):
        async with meter.running(10, 300, lambda: Usage(0)):
            raise CapacityError
    await metering.close()
    assert billing.released == ["f" * 32]
    assert not billing.settled


async def test_a_client_that_leaves_the_queue_is_in_the_ledger(metering, billing, context):
    meter = await metering.admit(context, ORDER, "served")
    with pytest.raises(asyncio.CancelledError):
        async with meter.running(10, 300, lambda: Usage(0)):
            raise asyncio.CancelledError
    await metering.close()
    ((_, outcome),) = billing.settled
    assert (outcome.status, outcome.usage) == (Status.CANCELLED, Usage(0))


async def test_a_client_that_leaves_while_it_is_settled_is_settled_once_as_whole(
    metering, limits, billing, context
):
    billing.commit = asyncio.Event()
    meter = await metering.admit(context, ORDER, "served")
    task = asyncio.create_task(run(meter))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not billing.settled
    billing.commit.set()
    await metering.close()
    ((_, outcome),) = billing.settled
    assert (outcome.status, outcome.usage) == (Status.OK, USED)
    assert limits.charged == [11]


async def test_an_answer_that_cannot_be_settled_fails(metering, billing, context):
    billing.problem = LedgerUnavailableError()
    meter = await metering.admit(context, ORDER, "served")
    with pytest.raises(LedgerUnavailableError):
        await run(meter)
    await metering.close()
    assert not billing.settled
    assert not billing.released


async def test_a_spent_budget_stops_a_request_before_it_runs(metering, billing, context):
    billing.problem = SpendingLimitError("spent")
    meter = await metering.admit(context, ORDER, "served")
    with pytest.raises(SpendingLimitError):
        async with meter.running(10, 300, lambda: Usage(0)):
            pytest.fail("it ran")
    assert not billing.released


@pytest.mark.parametrize("refusal", [CapacityError(), EngineUnavailableError()])
async def test_a_request_that_is_handed_over_is_billed_once_at_the_model_that_answers(
    metering, limits, billing, context, refusal
):
    meter = await metering.admit(context, ORDER, "served")
    meter.serve("served", can_hand_over=True)
    with pytest.raises(type(refusal)):
        await run(meter, refusal)
    assert not billing.settled
    assert billing.released == ["f" * 32]

    meter.serve("hosted", "mistral-large-latest")
    await run(meter)

    assert limits.admitted == [("team", "served", True)]
    assert [request.model_served for request in billing.reserved] == ["served", "hosted"]
    assert billing.reserved[-1].price_key == PriceKey("hosted", "hosted", "mistral-large-latest")
    assert [outcome.status for _, outcome in billing.settled] == [Status.OK]


async def test_the_last_model_of_all_is_billed_even_if_it_is_not_there(metering, billing, context):
    meter = await metering.admit(context, ORDER, "served")
    meter.serve("served")

    with pytest.raises(EngineUnavailableError):
        await run(meter, EngineUnavailableError())
    await metering.close()

    assert [outcome.status for _, outcome in billing.settled] == [Status.ERROR]


async def test_the_model_asked_for_pays_by_the_id_asked(metering, billing, context):
    meter = await metering.admit(context, ORDER, "served")
    meter.serve("served", "its-listed-name")
    await run(meter)

    assert billing.reserved[0].price_key == PriceKey("mistral-large-latest", "served", "its-listed-name")
