"""The plan of a model by name: what is known of it, here or at the hub, and the arithmetic of `plan`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tramontane.catalog.definition import ModelDefinition
from tramontane.catalog.hosted import hosted_model_of
from tramontane.catalog.licenses import License, find_license, license_of
from tramontane.catalog.machine import Machine, this_machine
from tramontane.catalog.plan import Choice, Plan, least_memory, make_plan, quantized_here, ready_quantized
from tramontane.catalog.shape import ModelShape, shape_of_files, shape_of_json
from tramontane.errors import ConfigurationError, ModelStoreError
from tramontane.weights.compression import choose_compression
from tramontane.weights.hub import HubListing
from tramontane.weights.hub_fetch import Approve
from tramontane.weights.hub_files import NeededFiles, gguf_files, quantization_of
from tramontane.weights.quantization_setting import Quantization
from tramontane.weights.safetensors import SafetensorsFolder
from tramontane.weights.source import HubSource, WheelSource
from tramontane.weights.store import ModelStore
from tramontane.weights.tensors import Encoding


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model, and what it would take to serve it."""

    definition: ModelDefinition
    present: bool
    """Nothing has to be fetched."""
    license: License | None
    shape: ModelShape | None
    parameters: int | None
    plan: Plan


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model's weights before they run."""

    choices: Sequence[Choice]
    shape: ModelShape | None
    parameters: int | None = None
    preferred: str | None = None
    """The quantisation that would be taken if nobody chooses."""


def plan_model(
    definition: ModelDefinition,
    store: ModelStore,
    machine: Machine,
    *,
    context_tokens: int,
    quantization: Quantization = "auto",
    gpu_engine: str | None = None,
) -> PlannedModel:
    """What the model needs on `machine`. Reads at most configurations of a model that is not here.

    `quantization` is the setting; what it means for weights in floating point is the conversion's own rule.

    Raises:
        ModelStoreError: the hub does not have it, or does not tell.
    """
    source = definition.source
    present = store.is_present(source)
    terms = find_license(definition.license) if definition.license else None
    if isinstance(source, HubSource) and not present:
        listing, needed = store.look(source)
        facts = _facts_of_hub(store, source, listing, needed)
        terms = license_of(source.repository, listing.license)
    elif isinstance(source, WheelSource) and not present:
        largest = max(source.members, key=lambda member: member.size)
        facts = _facts_of_size(largest.target, largest.size, source.size)
    else:
        facts = facts_of_files(store.place(source))
    is_ready = any(choice.file for choice in facts.choices)
    plan = make_plan(
        facts.choices,
        facts.shape,
        machine,
        context_tokens=0 if definition.task == "embed" else context_tokens,
        preferred=facts.preferred if is_ready else _compression(quantization, facts.parameters, machine),
        gpu_engine=gpu_engine,
    )
    return PlannedModel(definition, present, terms, facts.shape, facts.parameters, plan)


def _compression(quantization: Quantization, parameters: int | None, machine: Machine) -> str | None:
    """The form that the conversion would give weights of 16 bits; None for what is not weighed by numbers."""
    if parameters is None:
        return None
    chosen = choose_compression(
        quantization, elements=parameters, encoding=Encoding.BF16, memory=machine.memory
    )
    return f"int{chosen.bits}" if chosen.bits else "none"


def facts_of_files(path: Path) -> Facts:
    """Of a model that is here: a GGUF file or a folder."""
    shape = shape_of_files(path)
    if path.is_file():
        known = _facts_of_size(path.name, path.stat().st_size, 0)
        return Facts(known.choices, shape)
    if not any(path.glob("*.safetensors")):
        size = sum(file.stat().st_size for file in path.glob("*.bin"))
        return Facts([Choice("as it is", 0, size)], shape)
    try:
        stem = "model" if any(path.glob("model*.safetensors")) else "consolidated"
        parameters = SafetensorsFolder(path, stem).elements
    except ModelStoreError:
        parameters = sum(file.stat().st_size for file in path.glob("*.safetensors")) // 2
    return Facts(_forms(parameters, 0, shape), shape, parameters)


def choices_at_hub(listing: HubListing, needed: NeededFiles) -> Sequence[Choice]:
    """The forms that a model of the hub could be run in, the better ones first."""
    if needed.entry:
        sizes = {file.path: file.size for file in gguf_files(listing)} | {
            file.path: file.size for file in needed.files if file.path == needed.entry
        }
        choices = [_gguf_choice(path, size, size) for path, size in sizes.items()]
        return sorted(choices, key=lambda choice: -choice.download)
    return quantized_here(_parameters(listing, needed), needed.size)


def require_runnable(cache_dir: Path) -> Approve:
    """What a `HubAccess` calls before a fetch for a server, which refuses what could not run here anyway."""

    def approve(listing: HubListing, needed: NeededFiles) -> None:
        hosted = hosted_model_of(listing.repository)
        if hosted is not None and hosted.weights is not None and hosted.weights.active_parameters:
            raise ConfigurationError(
                f"{listing.repository} is a mixture of experts, which the engine openvino does not run. It "
                f"was not fetched."
            )
        choices = choices_at_hub(listing, needed)
        least = least_memory([choice for choice in choices if choice.file in {None, needed.entry}])
        memory = this_machine(cache_dir).memory
        if least > memory:
            raise ConfigurationError(
                f"{listing.repository} needs at least {least / 1e9:.1f} GB of memory, and this machine has "
                f"{memory / 1e9:.1f} GB. It was not fetched; `tramontane models plan` says more."
            )

    return approve


def _facts_of_hub(store: ModelStore, source: HubSource, listing: HubListing, needed: NeededFiles) -> Facts:
    shape = _shape_at_hub(store, source, listing)
    if needed.entry:
        hosted = hosted_model_of(source.repository)
        parameters = hosted.weights.parameters if hosted and hosted.weights else None
        return Facts(choices_at_hub(listing, needed), shape, parameters, quantization_of(needed.entry))
    parameters = _parameters(listing, needed)
    return Facts(_forms(parameters, needed.size, shape), shape, parameters)


def _shape_at_hub(store: ModelStore, source: HubSource, listing: HubListing) -> ModelShape | None:
    """Of the repository's configuration; one of GGUFs has none, but that of the original weights does."""
    names = {file.path for file in listing.files}
    for name in ("config.json", "params.json"):
        if name in names:
            content = store.read(source, name)
            return shape_of_json(content) if content else None
    hosted = hosted_model_of(source.repository)
    if hosted is None or hosted.weights is None or hosted.weights.repository == source.repository:
        return None
    try:
        content = store.read(HubSource(hosted.weights.repository), "config.json")
    except ModelStoreError:
        return None
    return shape_of_json(content) if content else None


def _parameters(listing: HubListing, needed: NeededFiles) -> int:
    """As the hub has counted them, or as the catalog says; else weights of 16 bits are assumed."""
    hosted = hosted_model_of(listing.repository)
    known = listing.parameters or (hosted.weights.parameters if hosted and hosted.weights else None)
    weights = sum(file.size for file in needed.files if file.path.endswith((".safetensors", ".bin")))
    return known or weights // 2


def _forms(parameters: int, download: int, shape: ModelShape | None) -> Sequence[Choice]:
    """An encoder whose numbers are not rounded computes with 32 bits."""
    choices = quantized_here(parameters, download)
    if shape is not None and not shape.kv_heads:
        choices[0] = replace(choices[0], weights=4 * parameters)
    return choices


def _facts_of_size(name: str, size: int, download: int) -> Facts:
    if name.lower().endswith(".gguf"):
        return Facts([_gguf_choice(name, size, download)], None)
    return Facts([Choice("as it is", download, size)], None)


def _gguf_choice(name: str, size: int, download: int) -> Choice:
    choice = ready_quantized(name, quantization_of(name) or "unknown", size)
    return Choice(choice.quantization, download, choice.weights, choice.file)
