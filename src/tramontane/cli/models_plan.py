"""`tramontane models plan`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from tramontane.bootstrap import model_store
from tramontane.catalog.machine import Machine, this_machine
from tramontane.catalog.plan import Fit, Need
from tramontane.catalog.planning import PlannedModel, plan_model
from tramontane.catalog.resolve import find_model
from tramontane.cli.models_options import json_option, say, settings_of, store_options
from tramontane.cli.table import billions, facts, size, table
from tramontane.errors import ConfigurationError
from tramontane.settings import EngineName
from tramontane.weights.quantization_setting import Quantization

_FIT_WORDS = {Fit.YES: "yes", Fit.TIGHT: "if other programs end", Fit.NO: "no"}


@click.command()
@click.argument("model")
@click.option("--context", type=click.IntRange(min=1), help="Tokens of one conversation.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Conversations side by side.  [default: 1]")
@click.option(
    "--quantization",
    type=click.Choice(get_args(Quantization)),
    help="Form of the weights, as the setting; of GGUF files, name it in MODEL.",
)
@json_option
@store_options
def plan(
    model: str,
    context: int | None,
    concurrency: int | None,
    quantization: Quantization | None,
    as_json: bool,
    config: Path | None,
    cache_dir: Path | None,
) -> None:
    """Say what MODEL needs, and whether this machine has it, before anything is fetched.

    Without --context and --concurrency, the memory for conversations is that of the setting kv_cache_tokens.
    """
    settings = settings_of(config, cache_dir)
    machine = this_machine(settings.cache_dir)
    tokens = settings.kv_cache_tokens if context is None and concurrency is None else None
    planned = plan_model(
        find_model(model),
        model_store(settings),
        machine,
        context_tokens=tokens or (context or 8192) * (concurrency or 1),
        quantization=quantization or settings.quantization,
        gpu_engine="vllm" if "vllm" in get_args(EngineName) else None,
    )
    if quantization and any(need.choice.file for need in planned.plan.needs):
        raise ConfigurationError(
            f"{model} is quantised already: --quantization says nothing. Name a form in it, as {model}:Q8_0."
        )
    say(_text(model, planned, machine), _json(planned, machine), as_json=as_json)


def _text(name: str, planned: PlannedModel, machine: Machine) -> str:
    shape, plan_ = planned.shape, planned.plan
    terms = planned.license
    known = facts(
        [
            ("model", f"{planned.definition.id} ({planned.definition.name})"),
            (
                "licence",
                (terms.name + (f": {terms.restriction}" if terms.restriction else "")) if terms else "",
            ),
            ("parameters", billions(planned.parameters)),
            ("architecture", _architecture(planned)),
            (
                "conversations",
                f"{plan_.context_tokens:,} tokens, {size(plan_.kv_bytes_per_token)} a token"
                if shape
                else "not counted: the model's measures are known when it is here",
            ),
            ("this machine", _machine(machine)),
        ]
    )
    needs = table(
        ("quantisation", "to fetch", "weights", "conversations", "memory", "fits"),
        [
            (
                need.choice.quantization + (" *" if need is plan_.picked else ""),
                size(need.choice.download) if need.choice.download and not planned.present else "-",
                size(need.choice.weights),
                size(need.kv_cache),
                size(need.memory),
                _FIT_WORDS[need.fit],
            )
            for need in plan_.needs
        ],
    )
    return f"{known}\n\n{needs}\n\n{_verdict(name, planned, machine)}"


def _architecture(planned: PlannedModel) -> str:
    shape = planned.shape
    if shape is None:
        return ""
    experts = f", a mixture of {shape.experts} experts" if shape.experts else ""
    heads = f", {shape.kv_heads} key-value heads of {shape.head_size}" if shape.kv_heads else ""
    return f"{shape.architecture}, {shape.layers} layers{heads}{experts}"


def _machine(machine: Machine) -> str:
    gpus = "".join(f", {gpu.name} with {size(gpu.memory)}" for gpu in machine.gpus)
    return (
        f"{size(machine.available)} of {size(machine.memory)} memory available, {machine.cores} cores, "
        f"{size(machine.disk_free)} of disk free{gpus}"
    )


def _verdict(name: str, planned: PlannedModel, machine: Machine) -> str:
    picked = planned.plan.picked
    if picked is None:
        return _no_room(name, planned)
    lacking = (
        ""
        if planned.present or picked.choice.download <= machine.disk_free
        else (f"\nThe disk has no room for {size(picked.choice.download)}: choose another with --cache-dir.")
    )
    experts = planned.shape is not None and planned.shape.experts and planned.plan.engine == "openvino"
    if experts:
        return "The engine of this machine does not run mixtures of experts, whatever room there is."
    return f"* It would run as {picked.choice.quantization} on the engine {planned.plan.engine}.{lacking}"


def _no_room(name: str, planned: PlannedModel) -> str:
    smaller = [need for need in planned.plan.needs if need.fit is not Fit.NO and need.choice.file]
    if smaller and ":" not in name:
        return f"Its usual form does not fit, but {name}:{smaller[0].choice.quantization} does."
    return "It does not fit into this machine in any of these forms."


def _json(planned: PlannedModel, machine: Machine) -> dict[str, Any]:
    picked = planned.plan.picked
    return {
        "model": planned.definition.id,
        "present": planned.present,
        "license": planned.license.id if planned.license else None,
        "parameters": planned.parameters,
        "shape": asdict(planned.shape) if planned.shape else None,
        "context_tokens": planned.plan.context_tokens,
        "kv_bytes_per_token": planned.plan.kv_bytes_per_token,
        "engine": planned.plan.engine,
        "picked": picked.choice.quantization if picked else None,
        "needs": [_need_json(need) for need in planned.plan.needs],
        "machine": asdict(machine),
    }


def _need_json(need: Need) -> dict[str, Any]:
    return {
        "quantization": need.choice.quantization,
        "file": need.choice.file,
        "download": need.choice.download,
        "weights": need.choice.weights,
        "kv_cache": need.kv_cache,
        "memory": need.memory,
        "fit": need.fit.value,
        "fits_gpu": need.fits_gpu,
    }
