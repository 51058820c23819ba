"""Models of the CPU engine, from their files."""

from dataclasses import replace
from functools import cached_property
from typing import Final

from tramontane.engines.openvino.cache_size import cache_bytes_per_token
from tramontane.engines.openvino.engine import (
    GENERATION_ABILITIES,
    OpenVinoEmbeddingEngine,
    OpenVinoGenerationEngine,
)
from tramontane.models.loaded import EmbeddingModel, GenerationModel, LoadedModel
from tramontane.models.loader import Traits, traits_of
from tramontane.models.preparation import PreparedModel
from tramontane.prompts.of_artifact import prompts_of
from tramontane.prompts.tokenizer import HuggingFaceTokenizer
from tramontane.scheduling.admission import Admission

_GENERATION_BYTES: Final = 400 * 1024 * 1024
_EMBEDDING_BYTES: Final = 160 * 1024 * 1024
"""Of a worker beside weights and cache, as measured with the built-in models."""
_COMPUTED_IN_32_BITS: Final = ("f16", "bf16")
"""Forms of weights of which the engine makes copies of 32 bits."""


class OpenVinoLoader:
    """Loads one model from the files that were prepared.

    Args:
        prepared: the model.
        strict: take ids of tool calls in the hosted API's form only.
    """

    def __init__(self, prepared: PreparedModel, *, strict: bool) -> None:
        self.settings = prepared.settings
        self.admission = Admission(self.settings.slots, self.settings.max_queue)
        self._brief = Admission(self.settings.slots, self.settings.max_queue)
        self._artifact = prepared.artifact
        self._strict = strict
        profile = prepared.definition.profile(
            prepared.artifact.manifest.max_context_length, self.settings.aliases
        )
        self.profile = replace(profile, aliases=()) if prepared.is_adapted else profile

    @cached_property
    def memory(self) -> int:
        """Bytes of the weights as they are computed with, of a full cache, and of the worker itself."""
        manifest = self._artifact.manifest
        weights = self._artifact.graph.with_suffix(".bin").stat().st_size
        if manifest.quantization in _COMPUTED_IN_32_BITS:
            weights *= 2
        if manifest.task == "embed":
            return weights + _EMBEDDING_BYTES
        per_token = cache_bytes_per_token(manifest.layers, manifest.kv_heads, manifest.head_size)
        return weights + self.settings.kv_cache_tokens * per_token + _GENERATION_BYTES

    def make(self) -> LoadedModel:
        """The model with its tokenizer, which takes up to a second to be read."""
        settings, artifact = self.settings, self._artifact
        if artifact.manifest.task == "embed":
            engine = OpenVinoEmbeddingEngine(artifact, slots=settings.slots, threads=settings.threads)
            tokenizer = HuggingFaceTokenizer.from_artifact(artifact)
            return EmbeddingModel(self.profile, engine, self.admission, self._brief, tokenizer)
        prompts = prompts_of(artifact, strict=self._strict)
        return GenerationModel(
            profile=self.profile,
            engine=OpenVinoGenerationEngine(
                artifact,
                kv_cache_tokens=settings.kv_cache_tokens,
                slots=settings.slots,
                threads=settings.threads,
            ),
            admission=self.admission,
            vocabulary=prompts.vocabulary,
            chat=prompts.chat,
            fim=prompts.fim,
        )

    def traits(self, made: LoadedModel) -> Traits:
        """As the prompts of the model are."""
        abilities = GENERATION_ABILITIES if isinstance(made, GenerationModel) else frozenset()
        return traits_of(made, abilities, self._artifact.manifest.embedding_dimension)
