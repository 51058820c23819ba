import pytest

from tests.support.clock import FakeClock
from tramontane.engines.upstream.breaker import CircuitBreaker


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(clock, failures=3, seconds=10)


def fail(breaker, times=1):
    for _ in range(times):
        breaker.begin()
        breaker.fail()


def test_it_opens_after_failures_in_a_row(breaker):
    fail(breaker, 2)
    assert breaker.wait == 0

    fail(breaker)

    assert breaker.wait == 10


def test_a_success_in_between_starts_the_count_anew(breaker):
    fail(breaker, 2)
    breaker.begin()
    breaker.succeed()

    fail(breaker, 2)

    assert breaker.wait == 0


def test_when_its_time_is_over_one_request_tries(breaker, clock):
    fail(breaker, 3)
    clock.advance(10)
    assert breaker.wait == 0

    breaker.begin()

    assert breaker.wait > 0


def test_a_try_that_works_closes_it(breaker, clock):
    fail(breaker, 3)
    clock.advance(10)
    breaker.begin()
    breaker.succeed()

    assert breaker.is_closed
    fail(breaker, 2)
    assert breaker.is_closed


def test_a_try_that_fails_opens_it_for_as_long_again(breaker, clock):
    fail(breaker, 3)
    clock.advance(10)

    fail(breaker)

    assert breaker.wait == 10


def test_a_try_whose_outcome_nobody_awaited_lets_another_try(breaker, clock):
    fail(breaker, 3)
    clock.advance(10)
    breaker.begin()
    breaker.give_up()

    assert breaker.wait == 0
