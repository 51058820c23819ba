"""What `--model` and `--embedding-model` mean: a model of the catalog, of this machine, or of the hub."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import msgspec

from tramontane.catalog.builtin import builtin_models, default_model
from tramontane.catalog.definition import ModelDefinition
from tramontane.catalog.hosted import HostedModel, Task, find_hosted, hosted_ids, hosted_model_of
from tramontane.catalog.profile import Capabilities
from tramontane.errors import ConfigurationError
from tramontane.settings import ModelSettings
from tramontane.weights.hub_reference import PREFIX, parse_hub_reference
from tramontane.weights.source import HubSource, LocalSource

_OPTION: Final[dict[Task, str]] = {"generate": "--model", "embed": "--embedding-model"}
_SERVES: Final[dict[Task, str]] = {"generate": "a chat model", "embed": "an embedding model"}
_HOSTED_DEFAULT_TEMPERATURE: Final = 0.3
"""Of the hosted API's small models."""


def resolve_model(value: str | None, task: Task) -> ModelDefinition:
    """The model that the operator means by `value`; None means the built-in one.

    An id of the catalog goes first, then a file or folder here, then the hub; `hf:` says that it is there.

    Raises:
        ConfigurationError: there is no such model, or it is for another task; says what is possible.
    """
    if value is None:
        return default_model(task)
    for model in builtin_models():
        if model.id == value:
            return _of_task(model, task)
    if hosted := find_hosted(value):
        return _hosted_model(hosted, task)
    path = Path(value).expanduser().absolute()
    source = parse_hub_reference(value)
    if source is not None and (value.startswith(PREFIX) or not path.exists()):
        return hub_model(source, task)
    if not path.exists():
        raise _unusable(
            value, "is no model of the catalog, no file or folder here, and no model of the hub", task
        )
    _require_weights(path, value, task)
    return _local_model(path, task)


def define_model(settings: ModelSettings) -> ModelDefinition:
    """The model that `settings` speak of, under the id that they give it.

    Raises:
        ConfigurationError: as `resolve_model`.
    """
    if settings.task is None:
        assert settings.model is not None
        definition = find_model(settings.model)
    else:
        definition = resolve_model(settings.model, settings.task)
    if settings.id is None or settings.id == definition.id:
        return definition
    names = definition.own_aliases
    if not isinstance(definition.source, LocalSource):
        names = (definition.id, *(name for name in names if name != settings.id))
    return msgspec.structs.replace(definition, id=settings.id, own_aliases=names)


def find_model(value: str) -> ModelDefinition:
    """As `resolve_model`, of whatever task. What the catalog does not know counts as a chat model."""
    builtin = next((model for model in builtin_models() if model.id == value), None)
    source = parse_hub_reference(value)
    hosted = find_hosted(value) or (hosted_model_of(source.repository) if source else None)
    known = builtin or hosted
    return resolve_model(value, known.task if known else "generate")


def hub_model(source: HubSource, task: Task) -> ModelDefinition:
    """The model in a repository of the hub. If these are a hosted model's weights, it is that model.

    Raises:
        ConfigurationError: it is for another task.
    """
    hosted = hosted_model_of(source.repository)
    if hosted is not None:
        return _of_weights(hosted, source, task)
    if task == "embed" and (source.file or source.quantization):
        raise _unusable(source.reference, "is a .gguf file", task)
    name = source.repository.partition("/")[2]
    return ModelDefinition(
        id=letters_of(name),
        task=task,
        name=name,
        description=f"{source.reference} of the Hugging Face hub, served from this machine.",
        license=None,
        source=source,
        max_context_length=None,
        default_temperature=_HOSTED_DEFAULT_TEMPERATURE if task == "generate" else None,
        capabilities=_capabilities(task),
        own_aliases=(source.repository,),
    )


def _hosted_model(hosted: HostedModel, task: Task) -> ModelDefinition:
    if hosted.weights is None:
        raise ConfigurationError(
            f"{_OPTION[task]} {hosted.id!r}: {hosted.name} has no open weights; only the hosted API serves "
            f"it. A fair stand-in is {_OPTION[hosted.task]} {hosted.stand_in}."
        )
    return _of_weights(hosted, HubSource(hosted.weights.repository), task)


def _of_weights(hosted: HostedModel, source: HubSource, task: Task) -> ModelDefinition:
    if hosted.task != task:
        raise _unusable(hosted.id, f"is {_SERVES[hosted.task]}", task)
    assert hosted.weights is not None
    return ModelDefinition(
        id=hosted.id,
        task=task,
        name=hosted.name,
        description=(
            f"{hosted.name} by Mistral AI: its open weights, {source.reference}, served from this machine."
        ),
        license=hosted.weights.license,
        source=source,
        max_context_length=hosted.max_context_length,
        default_temperature=hosted.default_temperature,
        capabilities=_capabilities(task),
        own_aliases=(*hosted.aliases, source.repository),
        owned_by="mistralai",
    )


def adapted_model(base: ModelDefinition, folder: Path) -> ModelDefinition:
    """The model `base` with the LoRA adapter in `folder`, under the name of the folder.

    Raises:
        ConfigurationError: there is no such adapter.
    """
    if not (folder / "adapter_config.json").is_file():
        raise ConfigurationError(
            f"--adapters: {folder} is no folder with adapter_config.json and adapter_model.safetensors."
        )
    return msgspec.structs.replace(
        base,
        id=letters_of(folder.name),
        name=folder.name,
        description=f"{base.name} with the adapter {folder.name} of the operator's own.",
        license=None,
        own_aliases=(),
        owned_by="tramontane",
    )


def _of_task(model: ModelDefinition, task: Task) -> ModelDefinition:
    if model.task != task:
        raise _unusable(model.id, f"is {_SERVES[model.task]}", task)
    return model


def _require_weights(path: Path, value: str, task: Task) -> None:
    if path.is_dir():
        if not _is_model_folder(path):
            raise _unusable(
                value,
                "is a folder without config.json and *.safetensors or openvino_model.xml",
                task,
            )
    elif path.suffix.lower() != ".gguf":
        raise _unusable(value, "is a file of another kind than .gguf", task)
    elif task == "embed":
        raise _unusable(value, "is a .gguf file", task)


def _is_model_folder(path: Path) -> bool:
    """In Hugging Face's format, in Mistral's, or as exported for OpenVINO."""
    described = any((path / name).is_file() for name in ("config.json", "params.json"))
    return described and (any(path.glob("*.safetensors")) or (path / "openvino_model.xml").is_file())


def _local_model(path: Path, task: Task) -> ModelDefinition:
    name = path.name if path.is_dir() else path.stem
    return ModelDefinition(
        id=letters_of(name),
        task=task,
        name=name,
        description=f"{path.name}, a model of the operator's own, served from this machine.",
        license=None,
        source=LocalSource(path),
        max_context_length=None,
        default_temperature=_HOSTED_DEFAULT_TEMPERATURE if task == "generate" else None,
        capabilities=_capabilities(task),
    )


def _capabilities(task: Task) -> Capabilities:
    return Capabilities(completion_chat=task == "generate", completion_fim=task == "generate")


def letters_of(name: str) -> str:
    """The name in the letters of model ids."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._") or "local-model"


def _unusable(value: str, reason: str, task: Task) -> ConfigurationError:
    builtin = [model.id for model in builtin_models() if model.task == task]
    near = get_close_matches(value, [*builtin, *hosted_ids(task)], n=1, cutoff=0.8)
    hint = f" Did you mean {near[0]}?" if near and near[0] != value else ""
    file = ", a .gguf file" if task == "generate" else ""
    return ConfigurationError(
        f"{_OPTION[task]} {value!r} {reason}.{hint} Possible are: {', '.join(builtin)} (built in){file}, "
        f"a folder with config.json (or Mistral's params.json) and *.safetensors or openvino_model.xml, an "
        f"id of `tramontane models list --all`, or a model of the hub: organisation/name."
    )
