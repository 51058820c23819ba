"""What is seen while models are fetched and converted: bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from tramontane.weights.progress import FetchProgress, Stage

if TYPE_CHECKING:
    from tramontane.cli.progress_bars import ProgressBars

STAGE_WORDS: Final = {
    Stage.WAITING: "Waiting for another process that fetches",
    Stage.LOCATING: "Looking up",
    Stage.DOWNLOADING: "Fetching",
    Stage.CHECKING: "Checking",
    Stage.UNPACKING: "Unpacking",
    Stage.DONE: "Fetched",
}


@contextmanager
def preparation_progress(stream: TextIO | None = None) -> Iterator["PlainProgress | LazyBars"]:
    """A display on `stream` (stderr) that ends with the block. While it is told nothing it shows nothing."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield PlainProgress(stream)
        return
    bars = LazyBars(stream)
    try:
        yield bars
    finally:
        bars.close()


class PlainProgress:
    """A line for each stage, and one for each tenth of a download."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._last: tuple[str, Stage, int] | None = None
        self._start = (0.0, 0)
        """When and at which byte the current download began."""

    def fetching(self, update: FetchProgress) -> None:
        """Print a line if there is news."""
        tenth = update.bytes_done * 10 // update.bytes_total if update.bytes_total else 0
        news = (update.model, update.stage, tenth)
        if news == self._last:
            return
        if self._last is None or self._last[:2] != news[:2]:
            self._start = (self._clock(), update.bytes_done)
        self._last = news
        self._say(f"{STAGE_WORDS[update.stage]} {update.model}{self._figures(update)}")

    def converting(self, model: str) -> None:
        """Print a line."""
        self._say(f"Converting {model} for this machine (once)")

    def close(self) -> None:
        """Nothing is left open."""

    def _say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def _figures(self, update: FetchProgress) -> str:
        if update.stage is not Stage.DOWNLOADING or not update.bytes_total:
            return ""
        percent = update.bytes_done * 100 // update.bytes_total
        figures = f": {percent} % of {megabytes(update.bytes_total)}"
        started, first_byte = self._start
        elapsed = self._clock() - started
        if update.bytes_done == first_byte or elapsed <= 0:
            return figures + (f", resumed at {megabytes(first_byte)}" if update.resumed_from else "")
        speed = (update.bytes_done - first_byte) / elapsed
        seconds_left = (update.bytes_total - update.bytes_done) / speed
        return f"{figures}, {megabytes(speed)}/s, {seconds_left:.0f} s left"


class LazyBars:
    """Loads the drawing library when there is something to draw: most starts have nothing to fetch."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bars: ProgressBars | None = None

    def fetching(self, update: FetchProgress) -> None:
        """Draw it."""
        self._drawn().fetching(update)

    def converting(self, model: str) -> None:
        """Draw it."""
        self._drawn().converting(model)

    def close(self) -> None:
        """Leave the terminal to others; the next update draws anew."""
        if self._bars is not None:
            self._bars.close()
            self._bars = None

    def _drawn(self) -> "ProgressBars":
        if self._bars is None:
            from tramontane.cli.progress_bars import ProgressBars  # noqa: PLC0415 - see the class

            self._bars = ProgressBars(self._stream)
        return self._bars


def megabytes(count: float) -> str:
    """Bytes, for people."""
    return f"{count / 1_000_000:.1f} MB"
