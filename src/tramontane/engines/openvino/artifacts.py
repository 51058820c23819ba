"""Where converted models lie, and how one appears there: whole, once, and by one rename.

    <cache_dir>/artifacts/<key>/               a converted model
    <cache_dir>/artifacts/.converting/<key>/   one that is being made; left behind only by a crash
    <cache_dir>/artifacts/.converting/<key>.lock

The key stands for the weights, the builder and the engine's release: when one of them changes, so does
the key. Imports of this module are light, because every start passes through here.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

from tramontane.errors import ModelStoreError
from tramontane.weights.artifact import GRAPH, Artifact, read_artifact
from tramontane.weights.quantization_setting import Quantization

BUILDER_VERSION = 5
"""Raised with every change of what the conversion writes."""

_CONVERTING = ".converting"
_READ_FILES = (
    "*.json",
    "*.jinja",
    "*.model.v*",
    "*.safetensors",
    "*/config.json",
    "openvino_model.xml",
    "openvino_model.bin",
)


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be converted, and into what."""

    source: Path
    """A GGUF file or a folder. Never changed."""
    sha256: str | None = None
    """Of the weights or what they came in, if known; else path, sizes and times of change stand for them."""
    quantization: Quantization = "auto"
    adapter: Path | None = None
    """Folder of a LoRA adapter that is worked into the weights."""


def artifact_path(job: Job, cache_dir: Path) -> Path:
    """The folder that belongs to what comes of `job`.

    Raises:
        ModelStoreError: there are no such weights.
    """
    parts: list[object] = [
        job.source.name,
        job.sha256 or _identity(job.source, "model"),
        BUILDER_VERSION,
        version("openvino"),
        job.quantization,
    ]
    name = job.source
    if job.adapter is not None:
        parts.append(_identity(job.adapter, "adapter"))
        name = job.adapter
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name.stem).strip(".-")[:64]
    return cache_dir.absolute() / "artifacts" / f"{readable or 'model'}-{digest[:16]}"


def find_artifact(path: Path) -> Artifact | None:
    """The artifact in `path`, if it is there with all its files."""
    try:
        artifact = read_artifact(path)
    except ModelStoreError:
        return None
    tokenizer = artifact.mistral_tokenizer or artifact.tokenizer
    files = (path / GRAPH, (path / GRAPH).with_suffix(".bin"), tokenizer)
    return artifact if all(file.is_file() for file in files) else None


def make_artifact(path: Path, write: Callable[[Path], None]) -> Artifact:
    """The artifact in `path`; if there is none, `write` is given an empty folder to fill.

    Many processes may call this: one writes, the others wait for it.

    Raises:
        ModelStoreError: by `write`, or because the disk is full or read-only.
    """
    converting = path.parent / _CONVERTING
    try:
        converting.mkdir(parents=True, exist_ok=True)
        with FileLock(converting / f"{path.name}.lock"):
            if artifact := find_artifact(path):
                return artifact
            _remove_leftovers(converting)
            _write_whole(converting / path.name, path, write)
    except OSError as error:
        raise ModelStoreError(f"{path} cannot be written: {error}") from error
    return read_artifact(path)


def _write_whole(partial: Path, path: Path, write: Callable[[Path], None]) -> None:
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        write(partial)
        for file in partial.rglob("*"):
            _sync(file)
        _sync(partial)
        # What lies there is damaged, or it would have been found.
        shutil.rmtree(path, ignore_errors=True)
        partial.rename(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_leftovers(converting: Path) -> None:
    """Remove what crashed conversions left, of this model or any other; what has its lock is at work."""
    for partial in converting.iterdir():
        if not partial.is_dir():
            continue
        try:
            with FileLock(converting / f"{partial.name}.lock", timeout=0):
                shutil.rmtree(partial, ignore_errors=True)
        except Timeout:
            continue


def _identity(source: Path, kind: str) -> list[tuple[str, int, int]]:
    try:
        return _fingerprint(source.resolve(strict=True))
    except OSError as error:
        raise ModelStoreError(f"There is no {kind} at {source}: {error.strerror}") from error


def _fingerprint(source: Path) -> list[tuple[str, int, int]]:
    files = [source]
    if source.is_dir():
        files = sorted(file for pattern in _READ_FILES for file in source.glob(pattern))
    stats = [(str(file), file.stat()) for file in files]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
