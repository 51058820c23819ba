"""One suite for both stores: the same figures in memory and in Redis."""

from itertools import count
from math import ceil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.limits import Counted, MicrosecondClock, key, limits_of, memory_store, redis_store
from tramontane.limits.figures import MINUTE
from tramontane.limits.store import Used

pytestmark = pytest.mark.anyio

SECOND = 1_000_000
MONTH = "2026-11"
EXPERIMENT = limits_of(requests=60, burst=1, tokens=500_000)
EVERYTHING = limits_of(requests=60, burst=60, tokens=500_000, month=1_000_000)

# An example takes keys of its own from the store that all examples of a test share.
together = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
numbers = count()


@pytest.fixture
def clock():
    return MicrosecondClock()


@pytest.fixture(params=["memory", "redis"])
async def store(request, clock, anyio_backend):
    if request.param == "memory":
        yield memory_store(clock)
        return
    store = redis_store(request.getfixturevalue("redis_url"), request.getfixturevalue("redis_prefix"), clock)
    yield store
    await store.close()


def new_key():
    return key(model=f"model-{next(numbers)}")


async def test_one_request_a_second_is_exactly_that(store, clock):
    for _ in range(3):
        assert (await store.admit(key(), EXPERIMENT, MONTH)).is_admitted
        clock.advance(SECOND - 1)
        refused = await store.admit(key(), EXPERIMENT, MONTH)
        assert (refused.is_admitted, refused.requests_wait) == (False, 1)
        clock.advance(1)


async def test_a_whole_minute_at_one_request_a_second_is_admitted(store, clock):
    for sent in range(150):
        verdict = await store.admit(key(), EXPERIMENT, MONTH)
        assert verdict.is_admitted
        assert verdict.used.requests == min(sent + 1, 60)
        clock.advance(SECOND)


async def test_a_burst_may_come_at_once_and_no_more(store, clock):
    limits = limits_of(requests=360, burst=60)
    verdicts = [await store.admit(key(), limits, MONTH) for _ in range(100)]

    assert [verdict.is_admitted for verdict in verdicts] == [True] * 60 + [False] * 40
    assert {verdict.requests_wait for verdict in verdicts[60:]} == {10 * SECOND}


async def test_a_minute_is_never_exceeded_whatever_the_burst_divides(store, clock):
    """7 in any 42 seconds could be 14 in some minute; 10 are allowed."""
    limits = limits_of(requests=10, burst=7)
    admitted = 0
    for _ in range(60):
        admitted += (await store.admit(key(), limits, MONTH)).is_admitted
        clock.advance(SECOND - 1)
    assert admitted == 10


async def test_refused_requests_do_not_count(store, clock):
    await store.admit(key(), EXPERIMENT, MONTH)
    for _ in range(10):
        clock.advance(SECOND // 20)
        assert not (await store.admit(key(), EXPERIMENT, MONTH)).is_admitted
    clock.advance(SECOND // 2)
    assert (await store.admit(key(), EXPERIMENT, MONTH)).is_admitted


async def test_workspaces_and_models_are_counted_apart(store):
    for other in (key(), key(workspace="other"), key(model="other")):
        assert (await store.admit(other, EXPERIMENT, MONTH)).is_admitted
        assert not (await store.admit(other, EXPERIMENT, MONTH)).is_admitted


async def test_tokens_are_charged_afterwards_and_refuse_while_the_minute_is_spent(store, clock):
    limits = limits_of(tokens=1000)
    assert (await store.admit(key(), limits, MONTH)).used.tokens == 0
    assert (await store.charge(key(), limits, MONTH, 999)).tokens == 999
    clock.advance(10 * SECOND)
    assert (await store.admit(key(), limits, MONTH)).is_admitted
    assert (await store.charge(key(), limits, MONTH, 500)).tokens == 1499

    refused = await store.admit(key(), limits, MONTH)
    assert (refused.is_admitted, refused.tokens_wait, refused.used.tokens) == (False, 50 * SECOND, 1499)
    clock.advance(50 * SECOND)
    admitted = await store.admit(key(), limits, MONTH)
    assert (admitted.is_admitted, admitted.used.tokens) == (True, 500)


async def test_the_wait_for_tokens_skips_charges_that_do_not_suffice(store, clock):
    limits = limits_of(tokens=100)
    for tokens in (10, 10, 10, 200, 50):
        await store.charge(key(), limits, MONTH, tokens)
        clock.advance(SECOND)

    refused = await store.admit(key(), limits, MONTH)
    assert refused.tokens_wait == 58 * SECOND


async def test_a_request_that_tokens_refuse_does_not_use_up_the_rate(store, clock):
    limits = limits_of(requests=60, burst=1, tokens=10)
    await store.charge(key(), limits, MONTH, 10)
    assert not (await store.admit(key(), limits, MONTH)).is_admitted
    clock.advance(MINUTE)
    verdict = await store.admit(key(), limits, MONTH)
    assert (verdict.is_admitted, verdict.used.requests) == (True, 1)


async def test_the_month_begins_with_what_the_ledger_has_and_is_counted_on(store):
    limits = limits_of(month=1000)
    assert await store.admit(key(), limits, MONTH) is None
    verdict = await store.admit(key(), limits, MONTH, 700)
    assert (verdict.is_admitted, verdict.used.month_tokens) == (True, 700)

    assert (await store.charge(key(), limits, MONTH, 299)).month_tokens == 999
    assert (await store.admit(key(), limits, MONTH)).is_admitted
    assert (await store.charge(key(), limits, MONTH, 1)).month_tokens == 1000
    assert (await store.admit(key(), limits, MONTH)).month_is_spent
    assert await store.admit(key(), limits, "2026-12") is None


async def test_of_two_that_say_what_the_month_had_the_first_is_believed(store):
    limits = limits_of(month=1000)
    await store.admit(key(), limits, MONTH, 100)
    await store.charge(key(), limits, MONTH, 50)

    assert (await store.admit(key(), limits, MONTH, 100)).used.month_tokens == 150


async def test_tokens_of_a_month_that_is_not_known_are_left_to_the_ledger(store):
    limits = limits_of(month=1000)
    await store.charge(key(), limits, MONTH, 50)

    assert await store.admit(key(), limits, MONTH) is None


async def test_limits_may_change_from_one_request_to_the_next(store, clock):
    few, many = limits_of(requests=60, burst=1), limits_of(requests=600, burst=10)
    for _ in range(8):
        assert (await store.admit(key(), many, MONTH)).is_admitted
    refused = await store.admit(key(), few, MONTH)
    assert (refused.is_admitted, refused.requests_wait) == (False, SECOND)
    assert (await store.admit(key(), many, MONTH)).is_admitted

    fewer = limits_of(requests=3, burst=3)
    clock.advance(SECOND)
    assert (await store.admit(key(), fewer, MONTH)).requests_wait == 59 * SECOND


steps = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 2000), st.integers(0, 5 * SECOND), st.integers(0, 80 * SECOND)),
        st.one_of(st.none(), st.none(), st.integers(1, 400)),
    ),
    min_size=1,
    max_size=60,
)
figures = st.builds(
    limits_of,
    requests=st.one_of(st.none(), st.integers(1, 100)),
    burst=st.one_of(st.none(), st.integers(1, 20)),
    tokens=st.one_of(st.none(), st.integers(1, 1000)),
)


@together
@given(limits=figures, steps=steps)
async def test_a_request_is_admitted_exactly_when_the_definition_says_so(store, clock, limits, steps):
    """Each step: time passes, then some tokens are charged or a request comes."""
    name, counted = new_key(), Counted(limits)
    for passes, tokens in steps:
        clock.advance(passes)
        now = clock.microseconds
        if tokens is not None:
            counted.charges.append((now, tokens))
            assert (await store.charge(name, limits, MONTH, tokens)).tokens == counted.tokens(now)
            continue
        allowed = counted.allows(now)
        if allowed and limits.requests:
            counted.requests.append(now)
        verdict = await store.admit(name, limits, MONTH)
        assert verdict.is_admitted == allowed
        assert verdict.used.requests == counted.within(now, MINUTE)
        assert verdict.used.tokens == counted.tokens(now)


@together
@given(limits=figures, steps=steps, waiters=st.integers(1, 3))
async def test_whoever_waits_as_long_as_told_and_no_longer_is_admitted(store, clock, limits, steps, waiters):
    """Of several who were told the same at least one; and nobody is told to wait too long."""
    name, refused = new_key(), None
    for passes, tokens in steps:
        clock.advance(passes)
        if tokens is not None:
            await store.charge(name, limits, MONTH, tokens)
        verdict = await store.admit(name, limits, MONTH)
        refused = None if verdict.is_admitted else verdict
    if refused is None:
        return
    wait = max(refused.requests_wait, refused.tokens_wait)
    clock.advance(wait - 1)
    assert not (await store.admit(name, limits, MONTH)).is_admitted

    retry_after = ceil(wait / SECOND)
    clock.advance(retry_after * SECOND - wait + 1)
    verdicts = [await store.admit(name, limits, MONTH) for _ in range(waiters)]
    assert verdicts[0].is_admitted


@together
@given(
    requests=st.integers(1, 200),
    burst=st.integers(1, 30),
    passes=st.lists(st.integers(0, 3 * SECOND), min_size=20, max_size=80),
)
async def test_no_window_ever_holds_more_than_the_guarantee(store, clock, requests, burst, passes):
    """In any half-open span at most the burst, in any half-open minute at most the minute's."""
    name, limits = new_key(), limits_of(requests=requests, burst=burst)
    burst, times = limits.requests.burst, []
    for microseconds in passes:
        clock.advance(microseconds)
        if (await store.admit(name, limits, MONTH)).is_admitted:
            times.append(clock.microseconds)

    for index, start in enumerate(times):
        assert sum(at - start < limits.requests.span for at in times[index:]) <= burst
        assert sum(at - start < MINUTE for at in times[index:]) <= requests


async def test_what_is_used_is_seen_and_not_changed(store, clock):
    assert await store.used(key(), MONTH) == Used(0, 0, 0)
    await store.admit(key(), EVERYTHING, MONTH, month_tokens=100)
    await store.charge(key(), EVERYTHING, MONTH, 30)
    clock.advance(40 * SECOND)
    await store.admit(key(), EVERYTHING, MONTH)
    await store.charge(key(), EVERYTHING, MONTH, 12)
    for _ in range(3):
        assert await store.used(key(), MONTH) == Used(2, 42, 142)
    assert (await store.used(key(), "2026-12")).month_tokens == 0
    clock.advance(20 * SECOND)  # to the very end of the first one's minute
    assert await store.used(key(), MONTH) == Used(1, 12, 142)
    clock.advance(MINUTE)
    used = await store.used(key(), MONTH)

    assert (used.requests, used.tokens) == (0, 0)
