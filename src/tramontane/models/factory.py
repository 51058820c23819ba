"""From the settings of a model to models that are served: which engine makes what."""

import asyncio
from collections.abc import Sequence
from typing import cast

from tramontane.core.clock import Clock
from tramontane.models.catalog import AnyModel
from tramontane.models.fake import FakeLoader
from tramontane.models.loaded import AnyEmbeddingModel, AnyGenerationModel
from tramontane.models.loader import Loader
from tramontane.models.memory import SharedMemory
from tramontane.models.openvino import OpenVinoLoader
from tramontane.models.preparation import PreparedModel
from tramontane.models.served import ServedModel
from tramontane.settings import ModelSettings, Settings

AnyLoader = Loader[AnyGenerationModel] | Loader[AnyEmbeddingModel]


class ModelFactory:
    """Makes the served models of one server, which share their memory.

    Args:
        settings: of the server.
        memory: that the models share.
        clock: tells when they are used.
    """

    def __init__(self, settings: Settings, memory: SharedMemory, clock: Clock) -> None:
        self._settings = settings
        self._memory = memory
        self._clock = clock

    async def serve(self, model: ModelSettings, prepared: Sequence[PreparedModel]) -> Sequence[AnyModel]:
        """The model that `model` speaks of, and one for each of its adapters. None is loaded yet.

        Args:
            model: its settings, complete.
            prepared: what its engine has files of.

        Raises:
            ConfigurationError, ModelStoreError: it cannot be served.
        """
        return [await self._served(loader) for loader in await self._loaders(model, prepared)]

    async def _loaders(self, model: ModelSettings, prepared: Sequence[PreparedModel]) -> Sequence[AnyLoader]:
        match model.engine:
            case "fake":
                return [cast("AnyLoader", FakeLoader(self._settings, model))]
            case "upstream":
                # With its HTTP client, which most servers do without.
                from tramontane.models.upstream import (  # noqa: PLC0415 - see above
                    UpstreamLoader,
                    ask_servers,
                )

                facts, text = await ask_servers(model), prepared[0].artifact if prepared else None
                upstream = UpstreamLoader(model, facts, text, strict=self._settings.strict)
                return [cast("AnyLoader", upstream)]
            case "vllm":
                from tramontane.models.vllm import VllmLoader, shared_vllm  # noqa: PLC0415 - as above

                shared = shared_vllm(model, prepared)
                strict = self._settings.strict
                return [cast("AnyLoader", VllmLoader(one, shared, strict=strict)) for one in prepared]
            case "openvino":
                strict = self._settings.strict
                return [cast("AnyLoader", OpenVinoLoader(one, strict=strict)) for one in prepared]

    async def _served(self, loader: AnyLoader) -> AnyModel:
        # In a thread: a tokenizer is read, so that it is known what the model can be asked for.
        made = await asyncio.to_thread(loader.make)
        return cast("AnyModel", ServedModel(loader, made, self._memory, self._clock))


async def start_together(models: Sequence[AnyModel]) -> None:
    """Load those that are loaded with the start of the server, side by side.

    Raises:
        ConfigurationError: they do not fit into the memory limit together.
        ModelStoreError: one cannot be loaded; no other goes on loading.
    """
    starts = [asyncio.create_task(model.start()) for model in models if model.settings.load == "start"]
    # Not a task group, which would wrap what is raised.
    try:
        await asyncio.gather(*starts)
    except BaseException:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        raise
