"""Redis goes away and comes back under the limits."""

import asyncio
import logging

import pytest
import redis

from tests.support.clock import FakeClock
from tests.support.limits import key, limits_of
from tests.support.redis_server import own_redis
from tests.support.waiting import PATIENCE, eventually
from tramontane.errors import ConfigurationError, StorageError
from tramontane.limits.failover import FailoverLimitStore
from tramontane.limits.memory import MemoryLimitStore
from tramontane.limits.redis import RedisLimitStore
from tramontane.storage.redis import RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.fault]

MONTH = "2026-11"
LIMITS = limits_of(requests=10, burst=10, tokens=1000)


@pytest.fixture
def server(tmp_path):
    server = own_redis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def failover(server, anyio_backend):
    """Makes stores that ask again soon, so that tests are quick."""
    stores = []

    def make(seconds=PATIENCE):
        shared = RedisLimitStore(RedisServer(server.url, seconds))
        stores.append(FailoverLimitStore(shared, MemoryLimitStore(FakeClock()), check_seconds=0.05))
        return stores[-1]

    yield make
    for store in stores:
        await store.close()


@pytest.fixture
def store(failover):
    """Waits long for an answer: a server that is gone refuses connections at once."""
    return failover()


async def admitted(store, times, name=None):
    verdicts = [await store.admit(name or key(), LIMITS, MONTH) for _ in range(times)]
    return sum(verdict.is_admitted for verdict in verdicts)


def messages(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "tramontane.limits.failover"]


async def test_requests_go_on_limited_locally_and_are_shared_again_when_redis_is_back(store, server, caplog):
    caplog.set_level(logging.INFO)
    assert await admitted(store, 6) == 6
    server.kill()

    assert await admitted(store, 50) == 10
    assert (await store.charge(key(), LIMITS, MONTH, 300)).tokens == 300
    assert store.is_down
    assert (store.outages, store.locally_limited) == (1, 50)
    said = messages(caplog)
    assert len(said) == 1
    assert f"Redis at 127.0.0.1:{server.port} cannot be used" in said[0]

    server.start()
    await eventually(lambda: not store.is_down)
    assert len(messages(caplog)) == 2
    assert "50 requests were limited by this process alone" in messages(caplog)[1]
    with server.client() as client:
        assert client.keys("tramontane:{workspace:*") == []
    assert await admitted(store, 12) == 10
    with server.client() as client:
        assert client.llen("tramontane:{workspace:model}:requests") == 10
    assert (store.outages, store.locally_limited) == (1, 50)


async def test_a_server_that_is_not_there_at_the_start_is_found_later(store, server):
    server.kill()
    assert await admitted(store, 12) == 10

    server.start()
    await eventually(lambda: not store.is_down)
    assert await admitted(store, 1) == 1
    assert store.locally_limited == 12


async def test_many_requests_at_once_are_one_outage(store, server, caplog):
    server.kill()
    verdicts = await asyncio.gather(*(store.admit(key(), LIMITS, MONTH) for _ in range(100)))

    assert sum(verdict.is_admitted for verdict in verdicts) == 10
    assert store.outages == 1
    assert len(messages(caplog)) == 1


async def test_a_server_that_says_nothing_is_waited_for_by_nobody_but_the_first(failover, server):
    """The calls that end here with local verdicts would hang for ever otherwise."""
    store = failover(seconds=0.5)
    server.freeze()
    assert await admitted(store, 200) == 10
    assert store.outages == 1

    server.thaw()
    await eventually(lambda: not store.is_down)
    assert store.outages == 1


async def test_a_server_that_lost_its_scripts_and_keys_is_told_them_again(store, server):
    assert await admitted(store, 10) == 10
    with server.client() as client:
        client.script_flush()
        assert await admitted(store, 1) == 0
        client.flushall()
    assert await admitted(store, 11) == 10
    assert store.outages == 0


async def test_connections_that_were_cut_are_no_outage(store, server):
    assert await admitted(store, 3) == 3
    with server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert await admitted(store, 10) == 7
    assert store.outages == 0


async def test_a_server_that_only_reads_is_of_no_use_until_it_writes(store, server, caplog):
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        assert await admitted(store, 5) == 5
        assert store.is_down
        await asyncio.sleep(0.3)  # several looks
        assert store.is_down
        client.replicaof("NO", "ONE")
    await eventually(lambda: not store.is_down)
    assert store.outages == 1
    assert "READONLY" in messages(caplog)[0] or "read only" in messages(caplog)[0]


async def test_a_server_that_runs_no_scripts_is_of_no_use_either(store, server, caplog):
    """An answer to a PING would bring it back, and the next request would find it gone again."""
    with server.client() as client:
        client.acl_setuser("default", enabled=True, nopass=True, commands=["-evalsha"])
        assert await admitted(store, 3) == 3
        await asyncio.sleep(0.3)  # several looks
        assert await admitted(store, 3) == 3
        assert (store.outages, store.locally_limited) == (1, 6)
        client.acl_setuser("default", enabled=True, nopass=True, commands=["+evalsha"])
    await eventually(lambda: not store.is_down)
    assert len(messages(caplog)) == 2


async def test_the_month_is_asked_for_again_by_the_store_that_takes_over(store, server):
    monthly = limits_of(month=1000)
    assert await store.admit(key(), monthly, MONTH) is None
    assert (await store.admit(key(), monthly, MONTH, 10)).is_admitted
    server.kill()

    assert await store.admit(key(), monthly, MONTH) is None
    assert (await store.admit(key(), monthly, MONTH, 20)).used.month_tokens == 20


async def test_closing_ends_the_look_out_for_the_server(server):
    store = FailoverLimitStore(RedisLimitStore(RedisServer(server.url)), MemoryLimitStore(FakeClock()))
    server.kill()
    await admitted(store, 1)
    before = len(asyncio.all_tasks())
    await store.close()
    assert len(asyncio.all_tasks()) == before - 1


async def test_the_password_is_in_no_message(server):
    shared = RedisLimitStore(RedisServer(f"redis://:very-secret@127.0.0.1:{server.port}/0"))
    with pytest.raises(StorageError) as caught:
        await shared.check()
    assert "very-secret" not in str(caught.value)
    await shared.close()


def test_a_url_that_is_none_is_said_at_once():
    with pytest.raises(ConfigurationError, match="redis_url"):
        RedisServer("http://127.0.0.1")


async def test_a_clock_that_is_set_back_a_little_stands_still_and_much_starts_anew(server):
    """By the definition of the shared store, whose clock is the server's."""
    clock = FakeClock()
    shared = RedisLimitStore(RedisServer(server.url), clock=clock)
    one = limits_of(requests=60, burst=1)
    assert (await shared.admit(key(), one, MONTH)).is_admitted
    clock.advance(-10)
    refused = await shared.admit(key(), one, MONTH)
    assert (refused.is_admitted, refused.requests_wait) == (False, 11_000_000)
    clock.advance(11)
    assert (await shared.admit(key(), one, MONTH)).is_admitted

    clock.advance(-3600)
    assert (await shared.admit(key(), one, MONTH)).is_admitted
    with redis.Redis.from_url(server.url) as client:
        assert client.llen("tramontane:{workspace:model}:requests") == 1
    await shared.close()
