"""The ledger under SIGKILL, and spending limits under many processes."""

import multiprocessing
import os
import random
import signal
import time
from contextlib import contextmanager
from decimal import Decimal

import pytest

from tests.support import settling
from tests.support.billing import NOVEMBER, WORKSPACE, audit, rows
from tests.support.clock import FakeClock
from tramontane.billing.spending import repository as spending_repository
from tramontane.billing.spending.claims import Scope, SpendingLimit
from tramontane.billing.spending.lease import LEASE, Lease
from tramontane.storage.tables import reservations

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.fault]

KILLS = {"sqlite": 50, "postgresql": 25}
PATIENCE = 60

# A process that has imported everything forks the others: fifty starts take seconds, not a minute.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.support.settling"])


@contextmanager
def running(life, *arguments):
    """A process, and the end of the pipe that it writes to."""
    reading, writing = os.pipe()
    process = _PROCESSES.Process(target=_live, args=(life, arguments, _PROCESSES.reducer.DupFd(writing)))
    process.start()
    os.close(writing)
    with os.fdopen(reading, encoding="ascii") as pipe:
        yield process, pipe
    process.join(PATIENCE)


def _live(life, arguments, pipe):
    life(*arguments, pipe.detach())


async def set_limit(database, amount):
    async with database.transaction(announces=True) as connection:
        limit = SpendingLimit(Scope.WORKSPACE, WORKSPACE, Decimal(amount))
        await spending_repository.set_limit(connection, limit, NOVEMBER)


async def always():
    return True


async def test_killed_at_any_moment_what_was_acknowledged_is_there_once(database, place, kind):
    await set_limit(database, 1_000_000)
    began, settled = set(), set()

    for kill in range(KILLS[kind]):
        with running(settling.settle_until_killed, place) as (process, pipe):
            said = [pipe.readline()]
            while kill % 2 and said[-1].startswith("began"):  # every other one gets to its first answer
                said.append(pipe.readline())
            time.sleep(random.uniform(0, 0.05))  # noqa: ASYNC251  nothing else runs here
            os.kill(process.pid, signal.SIGKILL)
            said += pipe.readlines()
        for line in said:
            if line.endswith("\n"):
                word, request_id = line.split()
                (began if word == "began" else settled).add(request_id)

        entries = await audit(database)
        assert settled <= entries.keys() <= began

    assert len(settled) >= KILLS[kind] // 2
    await the_dead_are_released(database)


async def the_dead_are_released(database):
    clock = FakeClock()
    survivor = Lease(database, clock, always)
    deadline = time.monotonic() + PATIENCE
    while await rows(database, reservations):
        assert time.monotonic() < deadline
        await survivor.look()
        clock.advance(LEASE)
    await audit(database)


async def test_processes_that_race_for_a_limit_worth_ten_do_not_overrun_it(database, place):
    await set_limit(database, "0.05")  # a request costs 0.005 and reserves 0.008

    lives = [running(settling.settle_once_each, place, 50) for _ in range(4)]
    charged = 0
    started = [life.__enter__() for life in lives]
    for life, (_, pipe) in zip(lives, started, strict=True):
        charged += pipe.read().count("charged")
        life.__exit__(None, None, None)

    entries = await audit(database)
    assert len(entries) == charged
    assert 6 <= charged <= 10
    assert sum(entry["cost"] for entry in entries.values()) <= Decimal("0.05")
    assert await rows(database, reservations) == []
