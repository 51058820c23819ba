"""Models that vLLM loads: one engine for a model and all its adapters."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from tramontane.engines.vllm.engine import ABILITIES, VllmGenerationEngine
from tramontane.engines.vllm.shared import AdapterEngine, SharedVllm
from tramontane.models.loaded import GenerationModel, LoadedModel
from tramontane.models.loader import Traits, traits_of
from tramontane.models.preparation import PreparedModel
from tramontane.prompts.of_artifact import prompts_of
from tramontane.scheduling.admission import Admission
from tramontane.settings import ModelSettings

_CONTEXT: Final = "max_model_len"
"""vLLM's name of the longest context."""


class VllmLoader:
    """Loads one model, or the same one with an adapter.

    Args:
        prepared: the model.
        shared: the engine of the model and its adapters.
        strict: take ids of tool calls in the hosted API's form only.
    """

    memory = 0
    """Of what the models on the CPU share."""

    def __init__(self, prepared: PreparedModel, shared: SharedVllm, *, strict: bool) -> None:
        self.settings = prepared.settings
        self.admission = Admission(self.settings.slots, self.settings.max_queue)
        self._artifact = prepared.artifact
        self._adapter = prepared.adapter.name if prepared.adapter else None
        self._shared = shared
        self._strict = strict
        length = self.settings.vllm.get(_CONTEXT) or prepared.artifact.manifest.max_context_length
        profile = prepared.definition.profile(int(length), self.settings.aliases)
        self.profile = replace(profile, aliases=()) if prepared.is_adapted else profile

    def make(self) -> LoadedModel:
        """The model with its tokenizer, which takes up to a second to be read."""
        prompts = prompts_of(self._artifact, strict=self._strict)
        return GenerationModel(
            profile=self.profile,
            engine=AdapterEngine(self._shared, self._adapter),
            admission=self.admission,
            vocabulary=prompts.vocabulary,
            chat=prompts.chat,
            fim=prompts.fim,
        )

    def traits(self, made: LoadedModel) -> Traits:
        """As its prompts are."""
        return traits_of(made, ABILITIES)


def shared_vllm(settings: ModelSettings, prepared: Sequence[PreparedModel]) -> SharedVllm:
    """The engine of a model, the first of `prepared`, and of its adapters."""
    return SharedVllm(partial(_engine, settings, prepared))


def _engine(settings: ModelSettings, prepared: Sequence[PreparedModel]) -> VllmGenerationEngine:
    model = prepared[0]
    assert model.weights is not None
    return VllmGenerationEngine(
        model.artifact,
        model.weights,
        settings.vllm,
        slots=settings.slots,
        adapters={one.adapter.name: one.adapter for one in prepared if one.adapter is not None},
        python=settings.vllm_python,
    )
