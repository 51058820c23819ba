"""Which loaded model answers to which id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tramontane.catalog.names import names_of
from tramontane.catalog.profile import ModelProfile
from tramontane.core.vocabulary import Vocabulary
from tramontane.engines.protocol import EmbeddingEngine, GenerationEngine
from tramontane.errors import FeatureNotEnabledError, InvalidModelError
from tramontane.prompts.fim import GapRenderer
from tramontane.prompts.renderer import Renderer
from tramontane.prompts.tokenizer import InputTokenizer
from tramontane.scheduling.admission import Admission


@dataclass(frozen=True, slots=True)
class GenerationModel:
    """A model that continues text, with everything around its engine."""

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


LoadedModel = GenerationModel | EmbeddingModel


class Catalog:
    """All loaded models by id and alias, as `names_of` has them.

    Raises:
        ConfigurationError: two models have the same id of their own.
    """

    def __init__(self, models: Sequence[LoadedModel]) -> None:
        self._models = tuple(models)
        by_own_id = {model.profile.id: model for model in models}
        names = names_of([model.profile for model in models])
        self._by_id = {name: by_own_id[profile.id] for name, profile in names.items()}

    def __iter__(self) -> Iterator[LoadedModel]:
        return iter(self._models)

    def find(self, model_id: str) -> LoadedModel | None:
        """The model that answers to `model_id`, if there is one."""
        return self._by_id.get(model_id)

    def ids(self) -> Sequence[str]:
        """Every id and alias, models in order, each model's own id first."""
        return tuple(model_id for model in self._models for model_id in self.ids_of(model))

    def ids_of(self, model: LoadedModel) -> Sequence[str]:
        """What really reaches `model`: an id that another one has a better claim to is not among them."""
        profile = model.profile
        names = (profile.id, *profile.own_aliases, *profile.aliases)
        return tuple(name for name in names if self._by_id[name] is model)

    def generation(self, model_id: str, feature: str) -> GenerationModel:
        """The model for a completion; `feature` is what to call it in the refusal.

        Raises:
            InvalidModelError: nothing answers to the id.
            FeatureNotEnabledError: an embedding model does.
        """
        match self._by_id.get(model_id):
            case GenerationModel() as model:
                return model
            case EmbeddingModel():
                raise FeatureNotEnabledError(feature)
            case _:
                raise InvalidModelError(model_id)

    def embedding(self, model_id: str) -> EmbeddingModel:
        """The model for embeddings.

        Raises:
            InvalidModelError: nothing answers to the id, or a model that has no embeddings.
        """
        match self._by_id.get(model_id):
            case EmbeddingModel() as model:
                return model
            case _:
                raise InvalidModelError(model_id)
