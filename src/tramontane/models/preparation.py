"""From a name to files that an engine can load: fetched, converted, and known for what they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from tramontane.catalog.definition import ModelDefinition
from tramontane.catalog.resolve import adapted_model, define_model
from tramontane.engines.openvino.convert import convert_in_subprocess
from tramontane.errors import ConfigurationError
from tramontane.models.servers import speaks_tokens
from tramontane.settings import ModelSettings
from tramontane.weights.artifact import Artifact
from tramontane.weights.progress import FetchProgress
from tramontane.weights.source import HubSource
from tramontane.weights.store import ModelStore


class PreparationProgress(Protocol):
    """Is told what goes on while models are prepared."""

    def fetching(self, update: FetchProgress) -> None:
        """A model is being fetched."""
        ...

    def converting(self, model: str) -> None:
        """The conversion of a model starts; it ends with the next call, or the last."""
        ...


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model whose files are complete on this machine."""

    settings: ModelSettings
    """Those of the model that it is, or is made of."""
    definition: ModelDefinition
    artifact: Artifact
    is_adapted: bool = False
    """It is another one with an adapter, and stands in for nothing."""
    weights: Path | None = None
    """Of an engine that loads them by itself."""
    adapter: Path | None = None
    """Likewise, beside them."""


def has_files(model: ModelSettings) -> bool:
    """Whether anything has to be on this machine for it.

    Raises:
        ConfigurationError: its settings do not go together.
    """
    match model.engine:
        case "fake":
            return False
        case "upstream":
            return speaks_tokens(model)
        case _:
            return True


def defined(model: ModelSettings) -> ModelDefinition:
    """The model whose files are meant; without its weights if others have them.

    Raises:
        ConfigurationError: there is no such model.
    """
    if model.engine != "upstream":
        return define_model(model)
    definition = define_model(model.model_copy(update={"task": "generate"}))
    if isinstance(definition.source, HubSource) and not definition.source.file:
        text = msgspec.structs.replace(definition.source, text_only=True)
        return msgspec.structs.replace(definition, source=text)
    return definition


class Preparation:
    """Makes models ready to be loaded. Blocks; quick when all is here.

    Args:
        store: fetches them.
        cache_dir: where what is converted lies.
        progress: is told of it.
        is_stopped: asked during a conversion, which ends when it says so; a fetch ends by what `progress`
            raises.
    """

    def __init__(
        self,
        store: ModelStore,
        cache_dir: Path,
        progress: PreparationProgress,
        is_stopped: Callable[[], bool] | None = None,
    ) -> None:
        self._store = store
        self._cache_dir = cache_dir
        self._progress = progress
        self._is_stopped = is_stopped

    def fetch(self, settings: ModelSettings) -> Sequence[PreparedModel]:
        """Whatever the engine of the model that `settings` name needs, fetched first.

        Raises:
            ConfigurationError: they name no model, or one for another task.
            ModelStoreError: it cannot be had.
        """
        definition = defined(settings)
        return self.prepare(settings, definition, self._store.fetch(definition.source))

    def prepare(
        self, settings: ModelSettings, definition: ModelDefinition, path: Path
    ) -> Sequence[PreparedModel]:
        """Whatever its engine needs of the files at `path`.

        Raises:
            ConfigurationError, ModelStoreError: as of `convert`.
        """
        if settings.engine == "upstream":
            # With the readers of all kinds of files, which most starts do without.
            from tramontane.weights.text_side import read_text_artifact  # noqa: PLC0415 - see above

            return [PreparedModel(settings, definition, read_text_artifact(path, self._cache_dir))]
        if settings.engine == "vllm":
            return self._for_vllm(settings, definition, path)
        return self.convert(settings, definition, path)

    def _for_vllm(
        self, settings: ModelSettings, definition: ModelDefinition, path: Path
    ) -> Sequence[PreparedModel]:
        """The model, then itself with each of its adapters, whose weights vLLM loads by itself."""
        from tramontane.weights.text_side import read_text_artifact  # noqa: PLC0415 - as above

        if definition.task != "generate":
            raise ConfigurationError(
                f'{path}: vLLM serves models that generate here. Give an embedding model engine = "openvino".'
            )
        if not path.is_dir():
            raise ConfigurationError(f"{path} is one file; vLLM loads folders with safetensors.")
        text = read_text_artifact(path, self._cache_dir)
        adapted = [
            PreparedModel(
                settings,
                adapted_model(definition, folder),
                text,
                is_adapted=True,
                weights=path,
                adapter=folder,
            )
            for folder in settings.adapters
        ]
        return [PreparedModel(settings, definition, text, weights=path), *adapted]

    def convert(
        self, settings: ModelSettings, definition: ModelDefinition, path: Path
    ) -> Sequence[PreparedModel]:
        """The model whose files are at `path`, then itself with each of its adapters worked in.

        Raises:
            ConfigurationError: it is for another task than it is named for, or an adapter is none.
            ModelStoreError: it cannot be converted.
        """
        artifact = self._artifact(settings, definition, path)
        task = artifact.manifest.task
        if task != definition.task:
            if settings.task is not None:
                raise ConfigurationError(
                    f"{path} is a model for another task than the one that it is named for"
                )
            definition = define_model(settings.model_copy(update={"task": task}))
        prepared = [PreparedModel(settings, definition, artifact)]
        for folder in settings.adapters:
            adapted = adapted_model(definition, folder)
            artifact = self._artifact(settings, adapted, path, folder)
            prepared.append(PreparedModel(settings, adapted, artifact, is_adapted=True))
        return prepared

    def _artifact(
        self, settings: ModelSettings, definition: ModelDefinition, path: Path, adapter: Path | None = None
    ) -> Artifact:
        return convert_in_subprocess(
            path,
            self._cache_dir,
            source_sha256=self._store.sha256(definition.source),
            quantization=settings.quantization,
            adapter=adapter,
            on_start=partial(self._progress.converting, definition.id),
            is_stopped=self._is_stopped,
        )
