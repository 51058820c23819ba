"""`tramontane models remove` and `prune`."""

from collections.abc import Sequence
from pathlib import Path

import click

from tramontane.bootstrap import model_store
from tramontane.catalog.builtin import builtin_models
from tramontane.catalog.resolve import find_model
from tramontane.cli.models_options import settings_of, store_options
from tramontane.cli.table import size
from tramontane.errors import ConfigurationError, ModelStoreError
from tramontane.weights.artifact import read_artifact
from tramontane.weights.inventory import remove as remove_files
from tramontane.weights.inventory import remove_leftovers, stored_models
from tramontane.weights.source import LocalSource


@click.command()
@click.argument("model", nargs=-1, required=True)
@store_options
def remove(model: Sequence[str], config: Path | None, cache_dir: Path | None) -> None:
    """Remove MODEL from the store, and what was converted from it. No server should be running it."""
    settings = settings_of(config, cache_dir)
    store = model_store(settings)
    for name in model:
        definition = find_model(name)
        source = definition.source
        if isinstance(source, LocalSource):
            raise ConfigurationError(f"{source.path} is a file or folder of your own. Remove it yourself.")
        folder = store.folder(source)
        if not folder.exists():
            raise ModelStoreError(f"{name} is not here: there is no {folder}.")
        sha256 = store.sha256(source)
        converted = [] if sha256 is None else _converted(settings.cache_dir, sha256)
        freed = sum(_removed(path) for path in (*converted, folder))
        click.echo(f"Removed {name}: {size(freed)} are free again.")


@click.command()
@click.option(
    "--converted", is_flag=True, help="Also all converted models whose weights are not in the store."
)
@store_options
def prune(converted: bool, config: Path | None, cache_dir: Path | None) -> None:
    """Remove what interrupted fetches have left. What is being fetched stays."""
    settings = settings_of(config, cache_dir)
    try:
        freed = remove_leftovers(settings.cache_dir)
    except OSError as error:
        raise ModelStoreError(f"{error.filename} cannot be removed: {error.strerror}") from error
    if converted:
        freed += sum(_removed(path) for path in _orphans(settings.cache_dir))
    click.echo(f"{size(freed)} are free again.")


def _converted(cache_dir: Path, sha256: str) -> list[Path]:
    """The folders of what was converted of the weights with this hash."""
    return [path for path, source in _artifacts(cache_dir) if source.endswith(f"sha256:{sha256}")]


def _orphans(cache_dir: Path) -> list[Path]:
    known = {stored.manifest.sha256 for stored in stored_models(cache_dir)}
    known |= {getattr(model.source, "sha256", "") for model in builtin_models()}
    return [path for path, source in _artifacts(cache_dir) if source.rpartition("sha256:")[2] not in known]


def _artifacts(cache_dir: Path) -> list[tuple[Path, str]]:
    found = []
    for path in sorted((cache_dir / "artifacts").glob("*/")):
        try:
            found.append((path, read_artifact(path).manifest.source))
        except ModelStoreError:
            continue
    return found


def _removed(path: Path) -> int:
    try:
        return remove_files(path)
    except OSError as error:
        raise ModelStoreError(f"{path} cannot be removed: {error.strerror}") from error
