"""What `--model` and `--embedding-model` mean: a built-in model's id, a file or a folder."""

import re
from pathlib import Path
from typing import Final

import msgspec

from tramontane.catalog.builtin import builtin_models, default_model
from tramontane.catalog.definition import ModelDefinition, Task
from tramontane.catalog.profile import Capabilities
from tramontane.errors import ConfigurationError
from tramontane.weights.source import LocalSource

_OPTION: Final[dict[Task, str]] = {"generate": "--model", "embed": "--embedding-model"}
_SERVES: Final[dict[Task, str]] = {"generate": "a chat model", "embed": "an embedding model"}
_HOSTED_DEFAULT_TEMPERATURE: Final = 0.3
"""Of the hosted API's small models."""


def resolve_model(value: str | None, task: Task) -> ModelDefinition:
    """The model that the operator means by `value`; None means the built-in one.

    Raises:
        ConfigurationError: there is no such model, or it is for another task; says what is possible.
    """
    if value is None:
        return default_model(task)
    for model in builtin_models():
        if model.id == value:
            return _of_task(model, task)
    path = Path(value).expanduser().absolute()
    if not path.exists():
        raise _unusable(value, "is neither a built-in model nor a file or folder here", task)
    _require_weights(path, value, task)
    return _local_model(path, task)


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
        id=_id(folder.name),
        name=folder.name,
        description=f"{base.name} with the adapter {folder.name} of the operator's own.",
        license=None,
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
        id=_id(name),
        task=task,
        name=name,
        description=f"{path.name}, a model of the operator's own, served from this machine.",
        license=None,
        source=LocalSource(path),
        max_context_length=None,
        default_temperature=_HOSTED_DEFAULT_TEMPERATURE if task == "generate" else None,
        capabilities=Capabilities(completion_chat=task == "generate", completion_fim=task == "generate"),
    )


def _id(name: str) -> str:
    """The name in the letters of model ids."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._") or "local-model"


def _unusable(value: str, reason: str, task: Task) -> ConfigurationError:
    option = _OPTION[task]
    ids = ", ".join(model.id for model in builtin_models() if model.task == task)
    file = ", a .gguf file" if task == "generate" else ""
    return ConfigurationError(
        f"{option} {value!r} {reason}. Possible are: {ids} (built in){file}, "
        f"or a folder with config.json (or Mistral's params.json) and *.safetensors or openvino_model.xml."
    )
