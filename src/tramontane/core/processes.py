"""What the system says of a process."""

from pathlib import Path


def memory_of(pid: int | None) -> int | None:
    """Bytes that a process has in memory; None if there is none."""
    if pid is None:
        return None
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:  # it ended just now
        return None
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(sizes[0]) * 1024 if sizes else None
