"""The requests that run in this process now: whose they are, and at what pace they are answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tramontane.core.clock import Clock
from tramontane.core.usage import Usage

_LEAST_SECONDS: Final = 1.0
"""Tokens come in groups: over less time than this their pace would be anything."""


@dataclass(eq=False, slots=True)
class Running:
    """One of them."""

    workspace_id: str
    model: str
    """Id of the model that answers."""
    used: Callable[[], Usage]
    """By now."""
    first_token_at: float | None = None
    """By the monotonic clock."""


class RunningRequests:
    """Knows them all. A request is there from its reservation until it is settled or cut."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: set[Running] = set()

    def __len__(self) -> int:
        return len(self._all)

    @contextmanager
    def hold(self, running: Running) -> Iterator[None]:
        """It runs for as long as the block."""
        self._all.add(running)
        try:
            yield
        finally:
            self._all.discard(running)

    def count(self, workspace_id: str, model: str) -> int:
        """How many a workspace has running with a model."""
        return sum(one.workspace_id == workspace_id and one.model == model for one in self._all)

    def tokens_per_second(self, model: str | None = None) -> float:
        """The paces of all answers together, or of one model's: each from its first token until now."""
        return sum(self._pace(one) for one in self._all if model in {None, one.model})

    def _pace(self, one: Running) -> float:
        if one.first_token_at is None:
            return 0.0
        seconds = self._clock.monotonic() - one.first_token_at
        return max(0, one.used().completion_tokens - 1) / max(seconds, _LEAST_SECONDS)
