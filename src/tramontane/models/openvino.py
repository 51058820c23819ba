"""Models of the CPU engine, from their files."""

from dataclasses import replace

from tramontane.catalog.catalog import EmbeddingModel, GenerationModel, LoadedModel
from tramontane.engines.openvino.engine import OpenVinoEmbeddingEngine, OpenVinoGenerationEngine
from tramontane.models.preparation import PreparedModel
from tramontane.prompts.of_artifact import prompts_of
from tramontane.prompts.tokenizer import HuggingFaceTokenizer
from tramontane.scheduling.admission import Admission


def openvino_model(prepared: PreparedModel, *, strict: bool) -> LoadedModel:
    """The model, whose engine is still to be started.

    Raises:
        ModelStoreError: its tokenizer or chat template cannot be used.
    """
    settings, artifact = prepared.settings, prepared.artifact
    profile = prepared.definition.profile(artifact.manifest.max_context_length, settings.aliases)
    if prepared.is_adapted:
        profile = replace(profile, aliases=())
    admission = Admission(settings.slots, settings.max_queue)
    if prepared.definition.task == "embed":
        engine = OpenVinoEmbeddingEngine(artifact, slots=settings.slots, threads=settings.threads)
        brief = Admission(settings.slots, settings.max_queue)
        tokenizer = HuggingFaceTokenizer.from_artifact(artifact)
        return EmbeddingModel(profile, engine, admission, brief, tokenizer)
    prompts = prompts_of(artifact, strict=strict)
    return GenerationModel(
        profile=profile,
        engine=OpenVinoGenerationEngine(
            artifact,
            kv_cache_tokens=settings.kv_cache_tokens,
            slots=settings.slots,
            threads=settings.threads,
        ),
        admission=admission,
        vocabulary=prompts.vocabulary,
        chat=prompts.chat,
        fim=prompts.fim,
    )
