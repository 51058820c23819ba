"""The place where one model is fetched: alone, with room enough, and seen only when it is complete."""

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from tramontane.errors import ModelStoreError
from tramontane.weights.progress import FetchProgress, Progress, Stage

FETCHING: Final = ".fetching"
"""The folder of what is under way, beside the models."""
_SPARE_BYTES: Final = 16 * 1024 * 1024
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write to the disk of `folder`."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class FetchSite:
    """Of the model `model`, which will lie in `models/folder_name`."""

    model: str
    """Its name for people."""
    models: Path
    folder_name: str
    """Its folder below `models`."""
    progress: Progress | None = None
    free_bytes: Callable[[Path], int] = free_bytes

    @property
    def folder(self) -> Path:
        """Where the model will lie."""
        return self.models / self.folder_name

    @property
    def fetching(self) -> Path:
        """What is under way, of this model and others."""
        return self.models / FETCHING

    def tell(self, stage: Stage, bytes_done: int = 0, bytes_total: int = 0, resumed_from: int = 0) -> None:
        """Report progress, if anybody wants to know."""
        if self.progress is not None:
            self.progress(FetchProgress(self.model, stage, bytes_done, bytes_total, resumed_from))

    def scratch(self, purpose: str) -> Path:
        """An empty name for a folder; only the holder of the lock uses it."""
        path = self.fetching / f"{self._key}.{purpose}"
        shutil.rmtree(path, ignore_errors=True)
        return path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the model's lock, which another process may hold first."""
        self.fetching.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.fetching / f"{self._key}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.tell(Stage.WAITING)
            lock.acquire(poll_interval=0.2)
        try:
            yield
        finally:
            lock.release()

    def require_space(self, needed: int) -> None:
        """See that `needed` bytes more can be written.

        Raises:
            ModelStoreError: they cannot.
        """
        free = self.free_bytes(self.fetching)
        if free < needed + _SPARE_BYTES:
            raise ModelStoreError(
                f"it needs {_megabytes(needed + _SPARE_BYTES)} in {self.models}, where {_megabytes(free)} "
                f"are free. Make room (`tramontane models prune`, `tramontane models remove`), or choose "
                f"another folder: --cache-dir, TRAMONTANE_CACHE_DIR."
            )

    def install(self, complete: Path) -> None:
        """Make the folder `complete` the model's, by one rename; what lay there is removed."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if self.folder.exists():
            self.folder.rename(self.scratch("replaced"))
        complete.rename(self.folder)
        self.scratch("replaced")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Every failure as one that names the model and says what to do."""
        try:
            yield
        except ModelStoreError as error:
            raise ModelStoreError(f"Model {self.model} cannot be fetched: {error}") from error
        except OSError as error:
            raise ModelStoreError(f"Model {self.model} cannot be stored: {self._fault(error)}") from error

    @property
    def _key(self) -> str:
        return self.folder_name.replace("/", "--")

    def _fault(self, error: OSError) -> str:
        if error.errno in _NO_SPACE:
            return f"the disk of {self.models} is full. Make room and start again: what arrived is kept."
        return (
            f"{error.strerror or error} ({error.filename or self.models}). "
            f"Choose a folder that can be written: --cache-dir, TRAMONTANE_CACHE_DIR."
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
