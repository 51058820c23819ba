"""`tramontane models pull` and `verify`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tramontane.bootstrap import model_store
from tramontane.catalog.builtin import builtin_models
from tramontane.catalog.definition import ModelDefinition
from tramontane.catalog.resolve import find_model
from tramontane.cli.models_options import json_option, say, settings_of, store_options
from tramontane.cli.preparing import asking
from tramontane.cli.progress import preparation_progress
from tramontane.cli.table import size, table
from tramontane.errors import ModelStoreError
from tramontane.weights.inventory import altered_files, size_of, stored_models
from tramontane.weights.manifest import StoredFile
from tramontane.weights.source import HubSource, LocalSource, WheelSource
from tramontane.weights.store import ModelStore


@click.command()
@click.argument("model", nargs=-1, required=True)
@click.option(
    "--accept-licence",
    "--accept-license",
    is_flag=True,
    help="Accept the model's licence, also if it restricts use.",
)
@store_options
def pull(model: Sequence[str], accept_licence: bool, config: Path | None, cache_dir: Path | None) -> None:
    """Fetch MODEL into the store, or bring it up to date.

    What an interrupted fetch has left is resumed, and every file is compared with its hash.
    """
    settings = settings_of(config, cache_dir, accept_licence=accept_licence or None)
    definitions = [find_model(name) for name in model]
    with preparation_progress() as progress:
        store = model_store(settings, progress.fetching, asking(progress))
        for definition in definitions:
            place = store.pull(definition.source)
            progress.close()
            click.echo(f"{definition.id} is in {place} ({size(size_of(place))})")


@click.command()
@click.argument("model", nargs=-1)
@json_option
@store_options
def verify(
    model: Sequence[str],
    as_json: bool,
    config: Path | None,
    cache_dir: Path | None,
) -> None:
    """Read every byte of MODEL, or of all models, and compare it with the hashes of its files.

    Ends with status 3 if a file is missing or altered; the next start or pull fetches it anew.
    """
    settings = settings_of(config, cache_dir)
    store = model_store(settings)
    definitions = [find_model(name) for name in model] or _all_here(store, settings.cache_dir)
    results = [_verified(definition, store) for definition in definitions]
    text = table(
        ("model", "files", "size", "result"),
        [
            (
                result["id"],
                str(result["files"]),
                size(result["size"]),
                f"altered: {', '.join(result['altered'])}" if result["altered"] else "as fetched",
            )
            for result in results
        ],
    )
    say(text, results, as_json=as_json)
    altered = [result["id"] for result in results if result["altered"]]
    if altered:
        raise ModelStoreError(
            f"Altered: {', '.join(altered)}. `tramontane models pull` fetches the files anew."
        )


def _all_here(store: ModelStore, cache_dir: Path) -> list[ModelDefinition]:
    builtin = [
        model
        for model in builtin_models()
        if isinstance(model.source, WheelSource) and store.folder(model.source).is_dir()
    ]
    return builtin + [
        find_model(f"hf:{stored.manifest.source.reference}") for stored in stored_models(cache_dir)
    ]


def _verified(definition: ModelDefinition, store: ModelStore) -> dict[str, Any]:
    source = definition.source
    match source:
        case WheelSource() if store.folder(source).is_dir():
            files = [StoredFile(member.target, member.size, member.sha256) for member in source.members]
        case HubSource() if manifest := store.manifest(source):
            files = list(manifest.files)
        case LocalSource():
            raise ModelStoreError(
                f"{definition.id} was not fetched: there is nothing to compare its files with."
            )
        case _:
            files = []
    if not files:
        raise ModelStoreError(f"{definition.id} is not here. `tramontane models pull` fetches it.")
    return {
        "id": definition.id,
        "files": len(files),
        "size": sum(file.size for file in files),
        "altered": altered_files(store.folder(source), files),
    }
