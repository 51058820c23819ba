"""Notices a worker that has not died, but does nothing any more.

A step over a long prompt, the reading of a large grammar or the loading of a model may keep a worker from
answering for minutes, and all of them burn processor time. So a worker is given up soon if it answers nothing
and works on nothing (it is stopped, or waits for a lock that nobody will open), and late if it works on
something that never ends.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """All in seconds of this process's own time: while it is stopped itself, nothing is counted."""

    interval: float = 5.0
    """Between two looks, each with a question."""
    idle: float = 30.0
    """Without an answer and without any work."""
    silent: float = 900.0
    """Without an answer."""
    loading: float = 600.0
    """Without any work while a model is loaded: reading from a slow disk takes processor time too."""


class Watched(Protocol):
    """What is to be known of a worker."""

    @property
    def pid(self) -> int | None:
        """Of the process."""
        ...

    @property
    def is_loading(self) -> bool:
        """It has not yet said that it is ready, and answers nothing before."""
        ...

    @property
    def received(self) -> int:
        """Grows with everything that it says."""
        ...

    def ask(self) -> None:
        """Make it say something."""
        ...


async def until_hung(worker: Watched, policy: WatchPolicy) -> str:
    """Return when the worker hangs, with how that shows."""
    heard, worked = -1, -1
    silent = idle = 0.0
    while True:
        received, work = worker.received, cpu_ticks(worker.pid)
        silent = 0.0 if received != heard or worker.is_loading else silent + policy.interval
        idle = 0.0 if received != heard or work != worked or work is None else idle + policy.interval
        heard, worked = received, -1 if work is None else work
        if idle >= (policy.loading if worker.is_loading else policy.idle):
            return f"it hung: no answer and no work for {idle:.0f} s"
        if silent >= policy.silent:
            return f"it hung: no answer for {silent:.0f} s, although it worked"
        worker.ask()
        await asyncio.sleep(policy.interval)


def cpu_ticks(pid: int | None) -> int | None:
    """Processor time that the process and those that it has started have used, in the kernel's ticks.

    None if that cannot be read, because there is no such process. When a child ends, the sum changes too.
    """
    process = Path(f"/proc/{pid}")
    try:
        stat = (process / "stat").read_text("utf-8")
        children = [
            child for task in process.glob("task/*/children") for child in task.read_text("utf-8").split()
        ]
    except OSError:
        return None
    # What follows the name, which may hold anything: state, parent, …, user time, system time.
    fields = stat.rpartition(")")[2].split()
    own = int(fields[11]) + int(fields[12])
    return own + sum(cpu_ticks(int(child)) or 0 for child in children)
