"""`tramontane models list` and `show`."""

from pathlib import Path
from typing import Any

import click

from tramontane.bootstrap import model_store
from tramontane.catalog.builtin import builtin_models
from tramontane.catalog.definition import ModelDefinition
from tramontane.catalog.hosted import HostedModel, find_hosted, hosted_model_of, hosted_models
from tramontane.catalog.licenses import find_license
from tramontane.catalog.resolve import find_model
from tramontane.cli.models_options import json_option, say, settings_of, store_options
from tramontane.cli.table import billions, facts, size, table
from tramontane.settings import Settings
from tramontane.weights.inventory import size_of, stored_models
from tramontane.weights.source import HubSource, WheelSource

_USES = {"generate": "chat, fim", "embed": "embeddings"}


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Also the models of the catalog that are not here.")
@json_option
@store_options
def list_models(
    everything: bool,
    as_json: bool,
    config: Path | None,
    cache_dir: Path | None,
) -> None:
    """List the models that are here."""
    settings = settings_of(config, cache_dir)
    rows = _here(settings)
    if everything:
        repositories = {row["source"] for row in rows}
        rows += [_hosted_row(model) for model in hosted_models() if _repository(model) not in repositories]
    elif not as_json:
        rows = [row for row in rows if row["present"]]
    text = table(
        ("model", "for", "parameters", "licence", "size", "source"),
        [
            (
                row["id"],
                _USES[row["task"]],
                billions(row["parameters"]),
                row["license"] or "",
                size(row["size"]) if row["present"] else "-",
                row["source"] or "hosted only",
            )
            for row in rows
        ],
    )
    hint = "" if everything else "\n\n`tramontane models list --all` lists what else there is."
    say(text + hint, rows, as_json=as_json)


def _here(settings: Settings) -> list[dict[str, Any]]:
    """The built-in models, and what was fetched from a hub."""
    store = model_store(settings)
    rows = []
    for model in builtin_models():
        assert isinstance(model.source, WheelSource)
        present = store.is_present(model.source)
        row = _row(model.id, model.task, model.source.requirement, model.license, None)
        rows.append(row | {"present": present, "size": size_of(store.folder(model.source)) if present else 0})
    for stored in stored_models(settings.cache_dir):
        source = stored.manifest.source
        hosted = hosted_model_of(source.repository)
        definition = find_model(f"hf:{source.reference}")
        row = _row(
            definition.id,
            definition.task,
            source.reference,
            definition.license or stored.manifest.license,
            hosted.weights.parameters if hosted and hosted.weights else None,
        )
        rows.append(
            row
            | {
                "present": True,
                "size": stored.manifest.size,
                "commit": stored.manifest.commit,
                "fetched_at": stored.manifest.fetched_at,
            }
        )
    return rows


def _repository(model: HostedModel) -> str | None:
    return model.weights.repository if model.weights else None


def _hosted_row(model: HostedModel) -> dict[str, Any]:
    weights = model.weights
    row = _row(
        model.id,
        model.task,
        _repository(model),
        weights.license if weights else None,
        weights.parameters if weights else None,
    )
    return row | {"present": False, "size": 0, "stand_in": model.stand_in}


def _row(
    model_id: str, task: str, source: str | None, license_name: str | None, parameters: int | None
) -> dict[str, Any]:
    return {
        "id": model_id,
        "task": task,
        "source": source,
        "license": license_name,
        "parameters": parameters,
    }


@click.command()
@click.argument("model")
@json_option
@store_options
def show(
    model: str,
    as_json: bool,
    config: Path | None,
    cache_dir: Path | None,
) -> None:
    """Show all that is known of MODEL."""
    hosted = find_hosted(model)
    if hosted is not None and hosted.weights is None:
        say(facts(_hosted_facts(hosted)), _hosted_json(hosted), as_json=as_json)
        return
    definition = find_model(model)
    store = model_store(settings_of(config, cache_dir))
    source = definition.source
    present = store.is_present(source)
    value: dict[str, Any] = {
        "id": definition.id,
        "name": definition.name,
        "description": definition.description,
        "task": definition.task,
        "license": definition.license,
        "present": present,
        "path": str(store.place(source)) if present else None,
        "size": size_of(store.place(source)) if present else None,
    }
    if isinstance(source, HubSource):
        manifest = store.manifest(source)
        hosted = hosted_model_of(source.repository)
        value |= {
            "source": source.reference,
            "commit": manifest.commit if manifest else None,
            "fetched_at": manifest.fetched_at if manifest else None,
            "hosted": _hosted_json(hosted) if hosted else None,
        }
    say(facts(_facts(definition, value, hosted)), value, as_json=as_json)


def _facts(
    definition: ModelDefinition, value: dict[str, Any], hosted: HostedModel | None
) -> list[tuple[str, str]]:
    here = f"{value['path']} ({size(value['size'])})" if value["present"] else "no"
    pairs = [
        ("model", definition.id),
        ("", definition.description),
        ("for", _USES[definition.task]),
        ("source", str(value.get("source") or "")),
        ("here", here),
        ("commit", str(value.get("commit") or "")),
        ("fetched", str(value.get("fetched_at") or "")),
    ]
    return pairs + (_hosted_facts(hosted)[1:] if hosted else [("licence", definition.license or "")])


def _hosted_facts(hosted: HostedModel) -> list[tuple[str, str]]:
    weights = hosted.weights
    terms = find_license(weights.license) if weights else None
    end = f"{hosted.retires}" + (f", replaced by {hosted.replacement}" if hosted.replacement else "")
    return [
        ("model", f"{hosted.id}: {hosted.name}, of the hosted API"),
        ("aliases", ", ".join(hosted.aliases)),
        ("released", str(hosted.released)),
        ("hosted until", end if hosted.retires else ""),
        ("hosted context", f"{hosted.max_context_length:,} tokens"),
        ("default temperature", str(hosted.default_temperature or "")),
        ("hosted abilities", ", ".join(hosted.capabilities)),
        ("tokenizer", hosted.tokenizer or ""),
        ("parameters", billions(weights.parameters) if weights else ""),
        ("open weights", weights.repository if weights else "none"),
        ("also as", ", ".join(weights.other_forms) if weights else ""),
        ("licence", f"{terms.name}, {terms.url}" if terms else ""),
        ("restriction", terms.restriction or "" if terms else ""),
        ("fair stand-in", hosted.stand_in or ""),
        ("note", hosted.note or ""),
    ]


def _hosted_json(hosted: HostedModel) -> dict[str, Any]:
    weights = hosted.weights
    return {
        "id": hosted.id,
        "name": hosted.name,
        "aliases": list(hosted.aliases),
        "task": hosted.task,
        "released": str(hosted.released),
        "retires": str(hosted.retires) if hosted.retires else None,
        "replacement": hosted.replacement,
        "max_context_length": hosted.max_context_length,
        "default_temperature": hosted.default_temperature,
        "capabilities": list(hosted.capabilities),
        "tokenizer": hosted.tokenizer,
        "repository": weights.repository if weights else None,
        "license": weights.license if weights else None,
        "parameters": weights.parameters if weights else None,
        "stand_in": hosted.stand_in,
    }
