"""What lies in a model store: listed, checked again, removed."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tramontane.weights.fetch_site import FETCHING
from tramontane.weights.manifest import Manifest, read_manifest
from tramontane.weights.stamp import PinnedFile, altered_members, forget
from tramontane.weights.store import HUB


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that came from a hub."""

    folder: Path
    manifest: Manifest

    @property
    def place(self) -> Path:
        """The file or folder that is loaded."""
        return self.folder / self.manifest.entry


def stored_models(cache_dir: Path) -> list[StoredModel]:
    """All that came from a hub and is complete, by name. Does not read the weights."""
    folders = sorted((cache_dir / "models" / HUB).glob("*/"))
    manifests = ((folder, read_manifest(folder)) for folder in folders)
    return [StoredModel(folder, manifest) for folder, manifest in manifests if manifest is not None]


def size_of(path: Path) -> int:
    """Bytes of the files below `path`, or of the file."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def altered_files(folder: Path, files: Sequence[PinnedFile]) -> list[str]:
    """The files that are not what they were when they were fetched; the next fetch brings those anew."""
    altered = altered_members(folder, files)
    if altered:
        forget(folder)
    return altered


def remove(path: Path) -> int:
    """Remove a file or folder; the bytes that this frees.

    Raises:
        OSError: it cannot be removed.
    """
    freed = size_of(path)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return freed


def remove_leftovers(cache_dir: Path) -> int:
    """Remove what interrupted fetches have left; the bytes that this frees. What is under way stays.

    Raises:
        OSError: something cannot be removed.
    """
    fetching = cache_dir / "models" / FETCHING
    if not fetching.is_dir():
        return 0
    freed = 0
    for leftover in fetching.iterdir():
        if leftover.suffix == ".lock":
            continue
        try:
            with FileLock(fetching / f"{_model(leftover, fetching)}.lock", timeout=0):
                freed += remove(leftover)
        except Timeout:
            continue
    return freed


def _model(leftover: Path, fetching: Path) -> str:
    """The key of the model that it belongs to: the longest that has a lock, for names may begin alike."""
    keys = [lock.name.removesuffix(".lock") for lock in fetching.glob("*.lock")]
    return max((key for key in keys if leftover.name.startswith(key)), key=len, default=leftover.name)
