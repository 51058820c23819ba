import contextlib
from collections import Counter

import pytest

from tests.support.clock import FakeClock
from tramontane.engines.upstream.failures import BusyError, ReplicaError
from tramontane.engines.upstream.options import PoolOptions
from tramontane.engines.upstream.pool import Pool
from tramontane.errors import EngineUnavailableError, InvalidRequestError

KEY = b"a conversation"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def pool(clock):
    urls = [f"http://gpu{number}/v1" for number in range(4)]
    return Pool(PoolOptions(urls, breaker_failures=2, breaker_seconds=10), clock)


@contextlib.contextmanager
def busy(pool, replica, requests):
    with contextlib.ExitStack() as stack:
        for _ in range(requests):
            stack.enter_context(replica.working())
        yield


def fail(replica, error):
    with contextlib.suppress(type(error)), replica.working():
        raise error


def test_the_server_with_the_fewest_requests_is_chosen(pool):
    first, second, third, fourth = pool.replicas
    with busy(pool, first, 2), busy(pool, second, 3), busy(pool, third, 1), busy(pool, fourth, 2):
        assert pool.choose(None) is third


def test_idle_servers_take_turns(pool):
    chosen = Counter()
    for _ in range(40):
        replica = pool.choose(None)
        chosen[replica.url] += 1
        with replica.working():
            pass

    assert set(chosen.values()) == {10}


def test_a_conversation_stays_where_it_is(pool):
    home = pool.choose(KEY)
    other = next(replica for replica in pool.replicas if replica is not home)

    with busy(pool, home, 3), busy(pool, other, 1):
        assert pool.choose(KEY) is home


def test_a_conversation_moves_when_its_server_has_much_more_to_do_than_others(pool):
    home = pool.choose(KEY)

    with busy(pool, home, 20):
        moved = pool.choose(KEY)
        assert moved is not home
        assert pool.choose(KEY) is moved
    assert pool.choose(KEY) is home


def test_no_server_gets_more_than_its_bound_however_popular_a_conversation_is(pool):
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(pool.choose(KEY).working())

        assert max(replica.outstanding for replica in pool.replicas) <= 1.25 * 100 / 4 + 1


def test_a_server_that_was_tried_is_not_tried_again(pool):
    tried = []
    for _ in pool.replicas:
        tried.append(pool.choose(KEY, tried))

    assert len(set(map(id, tried))) == 4
    with pytest.raises(EngineUnavailableError):
        pool.choose(KEY, tried)


def test_a_server_that_is_not_well_is_left_out(pool):
    home = pool.choose(KEY)
    home.problem = "its health has status 503"

    assert pool.choose(KEY) is not home


def test_a_server_whose_breaker_is_open_is_left_out_until_one_may_try(pool, clock):
    home = pool.choose(KEY)
    for _ in range(2):
        fail(home, ReplicaError("it was silent"))
    assert pool.choose(KEY) is not home

    clock.advance(10)
    assert pool.choose(KEY) is home
    with home.working():
        assert pool.choose(KEY) is not home
    assert home.breaker.is_closed


def test_a_server_that_is_busy_is_left_out_for_as_long_as_it_says(pool, clock):
    home = pool.choose(KEY)
    fail(home, BusyError("status 429", retry_after=3))
    assert pool.choose(KEY) is not home

    clock.advance(3)

    assert pool.choose(KEY) is home


def test_requests_at_fault_say_nothing_against_a_server(pool):
    home = pool.choose(KEY)
    for _ in range(5):
        fail(home, InvalidRequestError("no such thing"))

    assert pool.choose(KEY) is home


def test_without_a_server_the_error_says_when_there_may_be_one(pool, clock):
    for replica in pool.replicas:
        for _ in range(2):
            fail(replica, ReplicaError("it was silent"))
    clock.advance(4)

    with pytest.raises(EngineUnavailableError) as raised:
        pool.choose(None)

    assert raised.value.headers["retry-after"] == "6"
