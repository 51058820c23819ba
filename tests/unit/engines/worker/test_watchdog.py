import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.waiting import eventually_now
from tramontane.engines.worker import watchdog
from tramontane.engines.worker.watchdog import WatchPolicy, cpu_ticks, until_hung

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

POLICY = WatchPolicy(interval=0.005, idle=0.02, silent=0.1, loading=0.05)


@dataclass
class Worker:
    """Whether it works and answers is the test's choice."""

    answers: bool = False
    is_loading: bool = False
    pid: int = 1
    received: int = 0

    def ask(self):
        self.received += self.answers


@pytest.fixture
def ticks(monkeypatch):
    """Processor time of the worker: grows while `works`."""

    class Ticks:
        works = False
        now = 0

        def __call__(self, _pid):
            self.now += self.works
            return self.now

    monkeypatch.setattr(watchdog, "cpu_ticks", found := Ticks())
    return found


async def seems_alive(worker):
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(until_hung(worker, POLICY), 0.3)
        return False
    return True


async def test_a_worker_that_does_nothing_and_answers_nothing_hangs(ticks):
    assert "no answer and no work" in await asyncio.wait_for(until_hung(Worker(), POLICY), 60)


async def test_an_idle_worker_that_answers_lives(ticks):
    assert await seems_alive(Worker(answers=True))


async def test_a_long_step_is_no_hang_but_an_endless_one_is(ticks):
    ticks.works = True
    begin = asyncio.get_running_loop().time()
    assert "although it worked" in await asyncio.wait_for(until_hung(Worker(), POLICY), 60)
    assert asyncio.get_running_loop().time() - begin >= POLICY.silent


async def test_a_model_may_load_as_long_as_it_works(ticks):
    ticks.works = True
    assert await seems_alive(Worker(is_loading=True))
    ticks.works = False
    await asyncio.wait_for(until_hung(Worker(is_loading=True), POLICY), 60)


def test_what_a_process_has_started_works_for_it():
    idle = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    process = subprocess.Popen([sys.executable, "-c", idle], start_new_session=True)
    try:
        own = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        eventually_now(own.read_text)
        before = cpu_ticks(process.pid)
        eventually_now(lambda: cpu_ticks(process.pid) > before + 20)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_time_of_a_process_can_be_read():
    before = cpu_ticks(os.getpid())
    while cpu_ticks(os.getpid()) == before:
        sum(range(100_000))
    assert cpu_ticks(2**22 + 1) is None
