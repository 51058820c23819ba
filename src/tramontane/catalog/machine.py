"""What this machine has for models: memory, within a container's limits, processors, disk and GPUs."""

import csv
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MIB: Final = 1024 * 1024
_NVIDIA_QUERY: Final = ("--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics processor."""

    name: str
    memory: int
    """Bytes."""
    free: int


@dataclass(frozen=True, slots=True)
class MachineMemory:
    """In bytes."""

    total: int
    """What the machine, or the container around us, may use altogether."""
    available: int
    """What of it is not in use, or could be given back at once."""


@dataclass(frozen=True, slots=True)
class Machine:
    """All sizes in bytes."""

    memory: int
    """What the machine, or the container around us, may use altogether."""
    available: int
    """What of it is not in use, or could be given back at once."""
    cores: int
    disk_free: int
    """Where models are kept."""
    gpus: tuple[Gpu, ...] = ()


def this_machine(
    cache_dir: Path, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> Machine:
    """What there is now.

    Args:
        cache_dir: where models are kept; it need not be there yet.
        proc: the file system of the processes.
        cgroup: that of the container's limits, of version 2 or 1.
    """
    memory = memory_of_machine(proc, cgroup)
    existing = next(
        folder for folder in (cache_dir.absolute(), *cache_dir.absolute().parents) if folder.is_dir()
    )
    return Machine(
        memory=memory.total,
        available=memory.available,
        cores=len(os.sched_getaffinity(0)),
        disk_free=shutil.disk_usage(existing).free,
        gpus=_nvidia_gpus(),
    )


def memory_of_machine(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> MachineMemory:
    """What there is now, which takes no longer than to look."""
    total, available = _memory(proc)
    limit, used = _limit(cgroup)
    if limit is not None and limit < total:
        return MachineMemory(limit, min(available, max(0, limit - used)))
    return MachineMemory(total, available)


def _memory(proc: Path) -> tuple[int, int]:
    lines = (line.split() for line in (proc / "meminfo").read_text().splitlines())
    kibibytes = {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1}
    total = kibibytes["MemTotal"]
    return total * 1024, kibibytes.get("MemAvailable", total) * 1024


def _limit(cgroup: Path) -> tuple[int | None, int]:
    """The limit of the control group, if there is one, and what of it is in use without the page cache."""
    for limit, usage, stat, cache in (
        ("memory.max", "memory.current", "memory.stat", "file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_cache"),
    ):
        most = _number(cgroup / limit)
        if most is not None:
            used = _number(cgroup / usage) or 0
            return most, max(0, used - _field(cgroup / stat, cache))
    return None, 0


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _field(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(value) for key, _, value in (line.partition(" ") for line in lines) if key == name), 0)


def _nvidia_gpus() -> tuple[Gpu, ...]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        found = subprocess.run(  # noqa: S603 - a list of our own arguments
            [tool, *_NVIDIA_QUERY], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_nvidia(found.stdout)


def parse_nvidia(text: str) -> tuple[Gpu, ...]:
    """The GPUs that `nvidia-smi` lists as name, total and free MiB; other lines are none."""
    rows = (tuple(cell.strip() for cell in row) for row in csv.reader(text.splitlines()))
    return tuple(
        Gpu(row[0], int(row[1]) * _MIB, int(row[2]) * _MIB)
        for row in rows
        if len(row) == 3 and row[1].isdecimal() and row[2].isdecimal()
    )
