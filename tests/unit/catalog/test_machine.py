import pytest

from tramontane.catalog import machine
from tramontane.catalog.machine import Gpu, parse_nvidia, this_machine

MIB = 1024 * 1024
MEMINFO = "MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:   12000000 kB\nHugePages_Total:  0\n"


@pytest.fixture
def proc(tmp_path):
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "meminfo").write_text(MEMINFO)
    return folder


@pytest.fixture
def cgroup(tmp_path):
    folder = tmp_path / "cgroup"
    folder.mkdir()
    return folder


@pytest.fixture
def look(proc, cgroup, tmp_path, monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    return lambda: this_machine(tmp_path / "not" / "yet" / "there", proc, cgroup)


def test_memory_is_what_the_system_says(look):
    found = look()
    assert (found.memory, found.available) == (16_000_000 * 1024, 12_000_000 * 1024)
    assert found.cores >= 1
    assert found.disk_free > 0
    assert found.gpus == ()


def test_a_containers_limit_counts(look, cgroup):
    (cgroup / "memory.max").write_text(f"{4000 * MIB}\n")
    (cgroup / "memory.current").write_text(f"{3000 * MIB}\n")
    (cgroup / "memory.stat").write_text(f"anon {1000 * MIB}\nfile {2000 * MIB}\n")
    assert (look().memory, look().available) == (4000 * MIB, 3000 * MIB)


def test_so_does_that_of_an_older_kernel(look, cgroup):
    (cgroup / "memory").mkdir()
    (cgroup / "memory" / "memory.limit_in_bytes").write_text(f"{4000 * MIB}\n")
    (cgroup / "memory" / "memory.usage_in_bytes").write_text(f"{1000 * MIB}\n")
    assert (look().memory, look().available) == (4000 * MIB, 3000 * MIB)


@pytest.mark.parametrize("limit", ["max\n", "9223372036854771712\n", ""])
def test_no_limit_is_none(look, cgroup, limit):
    (cgroup / "memory.max").write_text(limit)
    assert look().memory == 16_000_000 * 1024


def test_gpus_are_listed():
    text = "NVIDIA H100 80GB HBM3, 81559, 81000\nNVIDIA L4, [N/A], 5\n\nNo devices were found\n"
    assert parse_nvidia(text) == (Gpu("NVIDIA H100 80GB HBM3", 81559 * MIB, 81000 * MIB),)
