"""What a served model does at the moment, for people."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a model is in its life."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    LOADED = "loaded"
    UNLOADING = "unloading"
    FAILED = "failed"
    """The last loading failed; the next request tries again."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model, now. Times are Unix seconds, memory is bytes."""

    phase: Phase
    since: float
    """When the phase began."""
    answers: bool
    """A request would be answered, if need be after a loading; not if only a command loads it."""
    problem: str | None = None
    """Why the last loading failed, or why it would not answer now."""
    memory: int | None = None
    """What its process has in memory; None without one."""
    memory_needed: int = 0
    """What it may need at most."""
    users: int = 0
    """Requests that use it, those that wait for it included."""
    idle_since: float | None = None
    unloads_at: float | None = None
    """When `keep_alive` ends, if nobody uses it before."""
