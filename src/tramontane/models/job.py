"""A model on its way into a running server: fetched, converted, served."""

import time
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event
from typing import Final

from tramontane.core.ids import uuid7
from tramontane.errors import ModelStoreError
from tramontane.settings import ModelSettings
from tramontane.weights.progress import FetchProgress, Stage


class JobPhase(StrEnum):
    """How far it is."""

    PREPARING = "preparing"
    """What there is of it is looked up and checked."""
    FETCHING = "fetching"
    CONVERTING = "converting"
    DONE = "done"
    """The model is served."""
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({JobPhase.DONE, JobPhase.FAILED, JobPhase.CANCELLED})


@dataclass(eq=False)
class Job:
    """The progress of one model. Written by the thread that prepares it, read by whoever asks."""

    model: str
    """What it is named by until its own id is known."""
    settings: ModelSettings
    created_at: int
    id: str = field(default_factory=lambda: str(uuid7()))
    phase: JobPhase = JobPhase.PREPARING
    bytes_done: int = 0
    bytes_total: int = 0
    error: str | None = None
    ended_at: int | None = None
    is_cancelled: Event = field(default_factory=Event)
    _download: tuple[float, int] | None = None
    """When the download began, or went on, and at which byte."""

    @property
    def bytes_per_second(self) -> float | None:
        """Of the download that goes on; None if there is none, or too little of it to say."""
        if self.phase is not JobPhase.FETCHING or self._download is None:
            return None
        began, first = self._download
        elapsed = time.monotonic() - began
        return (self.bytes_done - first) / elapsed if elapsed > 0.1 else None

    def fetching(self, update: FetchProgress) -> None:
        """Take note of a fetch, or end it by raising ModelStoreError if the job was cancelled."""
        self.check_cancelled()
        if update.stage is not Stage.DOWNLOADING:
            self.phase = JobPhase.PREPARING
            return
        if self._download is None or self.phase is not JobPhase.FETCHING:
            self._download = (time.monotonic(), update.bytes_done)
        self.bytes_done, self.bytes_total = update.bytes_done, update.bytes_total
        self.phase = JobPhase.FETCHING

    def converting(self, _model: str) -> None:
        """Take note of a conversion, or prevent it by raising ModelStoreError if the job was cancelled."""
        self.check_cancelled()
        self.phase = JobPhase.CONVERTING

    def check_cancelled(self) -> None:
        """Raise ModelStoreError if the job was cancelled."""
        if self.is_cancelled.is_set():
            raise ModelStoreError(f"{self.model} was cancelled.")
