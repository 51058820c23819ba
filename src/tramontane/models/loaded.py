"""A model that is in memory, with everything around its engine."""

from collections.abc import Sequence
from dataclasses import dataclass

from tramontane.catalog.profile import ModelProfile
from tramontane.core.vocabulary import Vocabulary
from tramontane.engines.protocol import (
    CompletionEngine,
    EmbeddingEngine,
    GenerationEngine,
    RemoteEmbeddingEngine,
)
from tramontane.prompts.dialects.requests import RemoteRenderer
from tramontane.prompts.fim import GapRenderer
from tramontane.prompts.renderer import Renderer
from tramontane.prompts.tokenizer import InputTokenizer
from tramontane.scheduling.admission import Admission


@dataclass(frozen=True, slots=True)
class GenerationModel:
    """A model that continues text."""

    profile: ModelProfile
    engine: GenerationEngine
    admission: Admission
    vocabulary: Vocabulary
    chat: Renderer
    fim: GapRenderer

    @property
    def admissions(self) -> Sequence[Admission]:
        """All that its requests wait in."""
        return (self.admission,)


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model that turns texts into vectors."""

    profile: ModelProfile
    engine: EmbeddingEngine
    admission: Admission
    brief: Admission
    """Of requests that the engine is done with in a moment: they must not wait for a slot of long ones."""
    tokenizer: InputTokenizer

    @property
    def admissions(self) -> Sequence[Admission]:
        """All that its requests wait in."""
        return (self.admission, self.brief)


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model that continues text elsewhere: it gets requests as their clients have put them."""

    profile: ModelProfile
    engine: CompletionEngine
    admission: Admission
    strict: bool = False
    """Ids of tool calls must have the hosted API's form."""

    @property
    def admissions(self) -> Sequence[Admission]:
        """All that its requests wait in."""
        return (self.admission,)

    @property
    def renderer(self) -> RemoteRenderer:
        """What puts requests to it: in the dialect of its servers, as far as that is known by now."""
        return RemoteRenderer(self.engine.dialect, self.profile.default_temperature, self.strict)


@dataclass(frozen=True, slots=True)
class RemoteEmbeddingModel:
    """A model that turns texts into vectors elsewhere."""

    profile: ModelProfile
    engine: RemoteEmbeddingEngine
    admission: Admission

    @property
    def admissions(self) -> Sequence[Admission]:
        """All that its requests wait in."""
        return (self.admission,)


AnyGenerationModel = GenerationModel | RemoteModel
AnyEmbeddingModel = EmbeddingModel | RemoteEmbeddingModel
LoadedModel = AnyGenerationModel | AnyEmbeddingModel
