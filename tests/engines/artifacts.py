"""Converted models for tests of the OpenVINO engines, and how to look at their workers."""

import asyncio
import os
from pathlib import Path


def cpu_ticks(pid: int) -> int:
    """What a process has used of the processor, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def is_worker_idle(engine) -> bool:
    """The worker sleeps: its processor time stands still."""
    before = cpu_ticks(engine.worker_pid)
    await asyncio.sleep(0.1)
    return cpu_ticks(engine.worker_pid) == before


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
