"""How a converted model is spoken to: as the tokenizer that came with it says."""

from dataclasses import dataclass
from pathlib import Path

from tramontane.core.vocabulary import Vocabulary
from tramontane.prompts.chat_template import ChatRenderer
from tramontane.prompts.fim import FimRenderer, GapRenderer
from tramontane.prompts.renderer import Renderer
from tramontane.prompts.tokenizer import HuggingFaceTokenizer
from tramontane.weights.artifact import Artifact, ArtifactManifest
from tramontane.weights.mistral_tokenizer import load_mistral_tokenizer, mistral_vocabulary


@dataclass(frozen=True, slots=True)
class Prompts:
    """The text side of one model."""

    vocabulary: Vocabulary
    chat: Renderer
    fim: GapRenderer


def prompts_of(artifact: Artifact, *, strict: bool = False) -> Prompts:
    """By `mistral-common` for a model with a Mistral tokenizer, else by the chat template of its files.

    Args:
        artifact: of a model that generates.
        strict: take ids of tool calls in the hosted API's form only.

    Raises:
        ModelStoreError: the tokenizer or the template cannot be used.
    """
    if path := artifact.mistral_tokenizer:
        return _mistral_prompts(path, artifact.manifest, strict=strict)
    tokenizer = HuggingFaceTokenizer.from_artifact(artifact)
    return Prompts(
        vocabulary=tokenizer.vocabulary,
        chat=ChatRenderer.from_artifact(artifact, tokenizer, strict=strict),
        fim=FimRenderer.from_artifact(artifact, tokenizer),
    )


def _mistral_prompts(path: Path, manifest: ArtifactManifest, *, strict: bool) -> Prompts:
    # The library takes a second to import, which a start without such a model is spared.
    from tramontane.prompts.mistral import MistralRenderer  # noqa: PLC0415 - see above
    from tramontane.prompts.mistral_fim import MistralFimRenderer  # noqa: PLC0415 - see above

    tokenizer = load_mistral_tokenizer(path)
    vocabulary = mistral_vocabulary(tokenizer, manifest.vocabulary_size, manifest.stop_token_ids)
    return Prompts(
        vocabulary=vocabulary,
        chat=MistralRenderer(tokenizer, vocabulary, strict=strict),
        fim=MistralFimRenderer(tokenizer, vocabulary),
    )
