"""Models are fetched and converted in the foreground, before a server starts."""

from tramontane.bootstrap import PreparedModels, prepare_models
from tramontane.cli.progress import preparation_progress
from tramontane.settings import Settings


def prepare(settings: Settings) -> PreparedModels:
    """Everything that the server needs on disk, with progress on stderr while that takes time.

    Raises:
        ModelStoreError: a model cannot be had.
    """
    with preparation_progress() as progress:
        return prepare_models(settings, progress)
