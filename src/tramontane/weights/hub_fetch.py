"""One model out of a repository of the hub, to its folder: in parallel, resumed, every byte checked."""

import hashlib
import os
import queue
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from huggingface_hub import constants

from tramontane.errors import ModelStoreError
from tramontane.weights.download import Downloader, NoEntryError
from tramontane.weights.fetch_site import FetchSite
from tramontane.weights.hub import Hub, HubFile, HubListing
from tramontane.weights.hub_files import NeededFiles
from tramontane.weights.manifest import Manifest, StoredFile, read_manifest, write_manifest
from tramontane.weights.progress import Stage
from tramontane.weights.source import HubSource
from tramontane.weights.stamp import holds_members, write_stamp

_CONNECTIONS: Final = 4
"""Files that are fetched side by side."""
_CHUNK: Final = 4 * 1024 * 1024
_PART: Final = ".part"


@dataclass(frozen=True, slots=True)
class HubFetch:
    """A fetch of the files `needed` at the commit of `listing`."""

    source: HubSource
    listing: HubListing
    needed: NeededFiles
    hub: Hub
    site: FetchSite
    downloader: Downloader
    shared_cache: Path | None = None
    """The hub library's own cache, whose files are taken instead of fetched again."""

    def run(self) -> None:
        """Leave the complete model in its folder. Many processes may call this: one fetches.

        Raises:
            ModelStoreError: which model, why, and what to do. What has arrived is kept for the next run.
        """
        with self.site.explained(), self.site.alone():
            if not self._is_there():
                self._fetch()
            self.site.tell(Stage.DONE)

    def _is_there(self) -> bool:
        manifest = read_manifest(self.site.folder)
        return (
            manifest is not None
            and manifest.commit == self.listing.commit
            and holds_members(self.site.folder, manifest.files)
        )

    def _fetch(self) -> None:
        work = self._work
        work.mkdir(parents=True, exist_ok=True)
        self._adopt()
        arrived = sum(self._arrived(file) for file in self.needed.files)
        self.site.require_space(self.needed.size - arrived)
        manifest = self._manifest(_Transfers(self).run())
        write_manifest(work, manifest)
        write_stamp(work, manifest.files)
        self.site.install(work)
        for leftover in self.site.fetching.glob(f"{self._key}@*"):
            shutil.rmtree(leftover, ignore_errors=True)

    @property
    def _key(self) -> str:
        return self.site.folder_name.replace("/", "--")

    @property
    def _work(self) -> Path:
        """Named by the commit, so that a later one does not resume this one's files."""
        return self.site.fetching / f"{self._key}@{self.listing.commit[:12]}"

    def place(self, file: HubFile) -> Path:
        """Where `file` lies when it is whole and checked."""
        return self._work / file.path

    def part(self, file: HubFile) -> Path:
        """Where `file` lies until then."""
        return self._work / f"{file.path}{_PART}"

    def _arrived(self, file: HubFile) -> int:
        for path in (self.place(file), self.part(file)):
            if path.exists():
                return min(path.stat().st_size, file.size)
        return 0

    def _adopt(self) -> None:
        """Take the files that this machine has already. They are checked like fetched ones."""
        for file in self.needed.files:
            if file.sha256 is None or self.place(file).exists() or self.part(file).exists():
                continue
            for known in self._known_places(file):
                if known.is_file() and known.stat().st_size == file.size:
                    self.part(file).parent.mkdir(parents=True, exist_ok=True)
                    _link_or_copy(known, self.part(file), self.site)
                    break

    def _known_places(self, file: HubFile) -> Sequence[Path]:
        places = []
        manifest = read_manifest(self.site.folder)
        if manifest is not None:
            places = [
                self.site.folder / stored.target for stored in manifest.files if stored.sha256 == file.sha256
            ]
        if self.shared_cache is not None and file.sha256 is not None:
            repository = f"models--{self.source.repository.replace('/', '--')}"
            places.append(self.shared_cache / repository / "blobs" / file.sha256)
        return places

    def _manifest(self, files: Sequence[StoredFile]) -> Manifest:
        return Manifest(
            source=self.source,
            commit=self.listing.commit,
            endpoint=self.hub.endpoint,
            license=self.listing.license,
            fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
            entry=self.needed.entry,
            files=tuple(files),
        )


def shared_cache() -> Path:
    """Where the hub's own library keeps what other programs have fetched."""
    return Path(constants.HF_HUB_CACHE)


class _StoppedError(Exception):
    """Another file has failed, or the fetch was interrupted."""


class _Transfers:
    """The files of one fetch on their way, a few at a time.

    The threads are daemons, so that an interrupted process does not wait for a connection that stalls.
    """

    def __init__(self, fetch: HubFetch) -> None:
        self._fetch = fetch
        self._waiting: queue.SimpleQueue[HubFile] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[StoredFile | BaseException] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._telling = threading.Lock()
        self._done: dict[str, int] = {}
        self._resumed: dict[str, int] = {}

    def run(self) -> list[StoredFile]:
        """Bring all of them; the first failure ends the others."""
        files = self._fetch.needed.files
        # The largest first: they take longest.
        for file in sorted(files, key=lambda file: -file.size):
            self._waiting.put(file)
        threads = [
            threading.Thread(target=self._work, name=f"fetch {number}", daemon=True)
            for number in range(min(_CONNECTIONS, len(files)))
        ]
        for thread in threads:
            thread.start()
        try:
            return [self._result() for _ in files]
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(timeout=1.0)

    def _result(self) -> StoredFile:
        result = self._results.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                file = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._results.put(self._bring(file))
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                self._results.put(error)
                return

    def _bring(self, file: HubFile) -> StoredFile:
        place, part = self._fetch.place(file), self._fetch.part(file)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            place.replace(part)
        while True:
            resumed_from = self._download(file, part)
            self._tell(file, file.size, resumed_from)
            sha256 = _checked(part, file)
            if sha256 is not None:
                break
            part.unlink()
            # A part that something spoilt, or that was another file's, is no reason to give up.
            if not resumed_from:
                raise ModelStoreError(
                    f"{file.path} does not have the content that the hub says it has. It was discarded. Try "
                    f"again; if that does not help, a proxy or the mirror alters the file."
                )
        _sync(part)
        part.replace(place)
        return StoredFile(file.path, file.size, sha256)

    def _download(self, file: HubFile, part: Path) -> int:
        if not file.size:
            part.touch()
            return 0
        fetch = self._fetch
        try:
            return fetch.downloader.download(
                fetch.hub.file_url(fetch.listing, file),
                part,
                file.size,
                lambda done, resumed: self._tell(file, done, resumed),
                fetch.hub.headers,
            )
        except NoEntryError as error:
            raise fetch.hub.refusal(fetch.source, str(error)) from error

    def _tell(self, file: HubFile, done: int, resumed_from: int) -> None:
        """Report the bytes of all files together. One thread at a time: a display is not made for more."""
        if self._stop.is_set():
            raise _StoppedError
        with self._telling:
            self._done[file.path], self._resumed[file.path] = done, resumed_from
            done, total = sum(self._done.values()), self._fetch.needed.size
            stage = Stage.DOWNLOADING if done < total else Stage.CHECKING
            self._fetch.site.tell(stage, done, total, sum(self._resumed.values()))


def _checked(path: Path, file: HubFile) -> str | None:
    """The SHA-256 of `path`; None if it is not what the hub says of `file`."""
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            sha256.update(chunk)
            if file.sha256 is None:
                git.update(chunk)
    expected, found = (file.sha256, sha256) if file.sha256 is not None else (file.blob_id, git)
    return sha256.hexdigest() if path.stat().st_size == file.size and found.hexdigest() == expected else None


def _link_or_copy(known: Path, path: Path, site: FetchSite) -> None:
    known = known.resolve()
    try:
        os.link(known, path)
    except OSError:
        # Another disk: a copy, if there is room; else it is fetched, or refused for want of room.
        if site.free_bytes(site.fetching) > known.stat().st_size:
            shutil.copyfile(known, path)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


Approve = Callable[[HubListing, NeededFiles], None]
"""Called with what a repository holds, and what would be fetched of it; what it raises ends the fetch."""
