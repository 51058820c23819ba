"""Models are fetched and converted in the foreground, before a server starts."""

import sys
from collections.abc import Callable

import click

from tramontane.bootstrap import PreparedModels, prepare_models
from tramontane.cli.progress import LazyBars, PlainProgress, preparation_progress
from tramontane.settings import Settings


def prepare(settings: Settings) -> PreparedModels:
    """Everything that the server needs on disk, with progress on stderr while that takes time.

    Raises:
        ModelStoreError: a model cannot be had.
    """
    with preparation_progress() as progress:
        return prepare_models(settings, progress, asking(progress))


def asking(progress: PlainProgress | LazyBars) -> Callable[[str], bool] | None:
    """Puts a question about a licence to the person at the terminal; None if there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str) -> bool:
        progress.close()
        click.echo(question, err=True)
        return click.confirm("Do you accept it?", default=False, err=True)

    return ask
