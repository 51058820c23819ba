"""Models that are loaded when a test lets them, and time that passes when it says so."""

import asyncio
import itertools
from dataclasses import dataclass, field

from tests.support.clock import FakeClock
from tests.support.scripted_engine import ScriptedEngine, generation_model
from tests.support.served import MadeLoader, plenty
from tramontane.models.memory import SharedMemory
from tramontane.models.served import ServedModel


class GatedEngine(ScriptedEngine):
    """Starts when `gate` is set and closes when `exit` is, which they are unless a test clears them.

    `failure` is raised by the start.
    """

    def __init__(self):
        super().__init__("Hello")
        self.gate = asyncio.Event()
        self.gate.set()
        self.exit = asyncio.Event()
        self.exit.set()
        self.failure = None
        self.starts = 0
        self.closes = 0

    @property
    def is_up(self):
        return self.starts > self.closes

    async def start(self):
        self.starts += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure

    async def close(self):
        await self.exit.wait()
        self.closes += 1

    async def check_health(self):
        pass


class GatedLoader(MadeLoader):
    def __init__(self, model, memory=0, **settings):
        super().__init__(model, **settings)
        self.memory = memory


@dataclass
class Alarm:
    at: float
    call: object
    cancelled: bool = False

    def cancel(self):
        self.cancelled = True


@dataclass
class World:
    """Models that share memory and time."""

    limit: int | None = 100
    machine: object = plenty
    patience: float = 0.05
    clock: FakeClock = field(default_factory=FakeClock)
    alarms: list = field(default_factory=list)
    engines: dict = field(default_factory=dict)
    names: object = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self):
        self.memory = SharedMemory(self.limit, self.machine, self.patience)

    def model(self, need=0, load="use", **settings):
        name = f"model-{next(self.names)}"
        engine = self.engines[name] = GatedEngine()
        made = generation_model(engine, name)
        loader = GatedLoader(made, need, load=load, **settings)
        return ServedModel(loader, made, self.memory, self.clock, self._later)

    def engine(self, model):
        return self.engines[model.name]

    def _later(self, seconds, call):
        self.alarms.append(Alarm(self.clock.monotonic() + seconds, call))
        return self.alarms[-1]

    async def pass_time(self, seconds):
        """Move the clock, ring what is due, and let come of it what comes."""
        self.clock.advance(seconds)
        for alarm in list(self.alarms):
            if not alarm.cancelled and alarm.at <= self.clock.monotonic():
                self.alarms.remove(alarm)
                alarm.call()
        await settled()


async def settled():
    """Let every task go as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def use(model):
    """Take a lease and give it back."""
    async with model.lease():
        pass
