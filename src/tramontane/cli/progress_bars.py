"""Progress on a terminal: a bar for each model, with bytes, speed and the time that is left."""

from datetime import timedelta
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from tramontane.cli.progress import STAGE_WORDS, megabytes
from tramontane.weights.progress import FetchProgress, Stage


class ProgressBars:
    """Draws from the first update until `close`."""

    def __init__(self, stream: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            _Figures(),
            console=Console(file=stream),
        )
        self._fetches: dict[str, TaskID] = {}
        self._conversion: TaskID | None = None
        self._progress.start()

    def fetching(self, update: FetchProgress) -> None:
        """Draw the stage, and how far the download is."""
        description = f"{STAGE_WORDS[update.stage]} {update.model}"
        task = self._fetches.get(update.model)
        if task is None:
            task = self._progress.add_task(description, total=None, downloading=False)
            self._fetches[update.model] = task
        downloading = update.stage is Stage.DOWNLOADING
        if downloading and not self._progress.tasks[task].fields["downloading"]:
            # The bytes of earlier runs are no part of the speed.
            self._progress.reset(task, total=update.bytes_total, completed=update.bytes_done)
        self._progress.update(
            task,
            description=description,
            downloading=downloading,
            completed=update.bytes_done if downloading else None,
        )
        if update.stage is Stage.DONE:
            self._complete(task)

    def converting(self, model: str) -> None:
        """Draw that it goes on; how far it is, nobody knows."""
        self._end_conversion()
        self._conversion = self._progress.add_task(
            f"Converting {model} for this machine (once)", total=None, downloading=False
        )

    def close(self) -> None:
        """Leave the last state on the terminal."""
        self._end_conversion()
        self._progress.stop()

    def _end_conversion(self) -> None:
        if self._conversion is not None:
            self._complete(self._conversion)
            self._conversion = None

    def _complete(self, task: TaskID) -> None:
        total = self._progress.tasks[task].total or 1
        self._progress.update(task, total=total, completed=total)


class _Figures(ProgressColumn):
    """`61.2 of 95.1 MB  11.0 MB/s  0:00:03 left`."""

    def render(self, task: Task) -> Text:
        if not task.fields["downloading"] or task.total is None:
            return Text()
        figures = f"{megabytes(task.completed)} of {megabytes(task.total)}"
        if task.speed and task.time_remaining is not None:
            left = timedelta(seconds=round(task.time_remaining))
            figures += f"  {megabytes(task.speed)}/s  {left} left"
        return Text(figures)
