"""Eight processes hammer one workspace through one Redis."""

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests.support.limit_hammer import LIMITS
from tests.support.limits import Counted, MicrosecondClock, key, limits_of, redis_store
from tramontane.limits.figures import MINUTE

PROCESSES = 8
SECONDS = 5


@pytest.fixture
def answers(redis_url, redis_prefix):
    """Every answer that any process got, by limits, in the order of the server's clock."""
    command = [sys.executable, "-m", "tests.support.limit_hammer", redis_url, redis_prefix]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        with redis.Redis.from_url(redis_url) as client:
            seconds, microseconds = client.time()
        until = (seconds + SECONDS) * 1_000_000 + microseconds
        with ThreadPoolExecutor(PROCESSES) as readers:
            printed = list(readers.map(lambda process: process.communicate(f"{until}\n")[0], processes))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    found = [json.loads(text) for text in printed]
    return {name: sorted(tuple(answer) for one in found for answer in one[name]) for name in LIMITS}


@pytest.mark.process
def test_never_more_than_the_limit_in_any_window_and_never_less_than_98_percent_of_it(answers):
    """All times are the server's. What the limit allows is what its definition lets through of the moments at
    which somebody asked, so that a machine that is busy with something else changes both sides alike.
    """
    for name, limits in LIMITS.items():
        asked = [at for at, _ in answers[name]]
        admitted = [at for at, is_admitted in answers[name] if is_admitted]
        _check_windows(admitted, limits.requests.span, limits.requests.burst)
        _check_windows(admitted, MINUTE, limits.requests.per_minute)

        possible = _possible(asked, limits)
        assert len(asked) > possible, "nobody was refused: this shows nothing"
        assert len(admitted) >= 0.98 * possible, name


def _check_windows(times, span, limit):
    """No half-open window of `span` holds more than `limit`: the one that begins with any request would."""
    for first, beyond in zip(times, times[limit:], strict=False):
        assert beyond - first >= span


def _possible(asked, limits):
    """How many of `asked` the definition lets through. Each as early as it may leaves most room."""
    counted = Counted(limits)
    for now in asked:
        if counted.allows(now):
            counted.requests.append(now)
    return len(counted.requests)


@pytest.mark.anyio
async def test_tokens_of_many_at_once_overrun_the_minute_by_what_was_under_way_alone(redis_url, redis_prefix):
    limits, clock = limits_of(tokens=60_000), MicrosecondClock()
    stores = [redis_store(redis_url, redis_prefix, clock) for _ in range(PROCESSES)]
    charged = []

    async def spend(store):
        while (await store.admit(key(), limits, "2026-11")).is_admitted:
            await store.charge(key(), limits, "2026-11", 1000)
            charged.append(1000)

    await asyncio.gather(*map(spend, stores))
    for store in stores:
        await store.close()
    assert 60_000 <= sum(charged) <= 60_000 + (PROCESSES - 1) * 1000
