"""What is known of a served model whether or not it is in memory, and how it gets there."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tramontane.catalog.profile import ModelProfile
from tramontane.core.prompt import Modality
from tramontane.engines.protocol import Ability
from tramontane.models.loaded import GenerationModel, LoadedModel
from tramontane.scheduling.admission import Admission
from tramontane.schemas.chat import ReasoningEffort
from tramontane.settings import ModelSettings

ModelT = TypeVar("ModelT", bound=LoadedModel)

_NEEDS = {Modality.IMAGE: Ability.VISION, Modality.AUDIO: Ability.AUDIO}


@dataclass(frozen=True, slots=True)
class Traits:
    """What requests can ask of a model: enough to refuse one without loading the model for it."""

    function_calling: bool = False
    reasoning_efforts: Sequence[ReasoningEffort] = ()
    modalities: Set[Modality] = frozenset()
    """What it reads beside text: its tokenizer has tokens for it, and its engine takes it."""
    abilities: Set[Ability] = frozenset()
    """Of its engine."""
    embedding_dimension: int | None = None
    checks_itself: bool = False
    """Whoever answers knows best what can be asked of it, and refuses the rest."""


class Loader(Protocol[ModelT]):
    """Makes one model, as often as it is loaded."""

    @property
    def profile(self) -> ModelProfile:
        """The model as a product."""
        ...

    @property
    def settings(self) -> ModelSettings:
        """How it is served, complete."""
        ...

    @property
    def admission(self) -> Admission:
        """The queue in front of it, which outlives every loading; `make` gives it to the model."""
        ...

    @property
    def memory(self) -> int:
        """Bytes that it needs while it is loaded, at most; 0 if nothing is loaded on this machine."""
        ...

    def make(self) -> ModelT:
        """The model, whose engine is still to be started. Blocks while tokenizers are read.

        Raises:
            ModelStoreError: its files cannot be used.
        """
        ...

    def traits(self, made: ModelT) -> Traits:
        """Of a model that `make` has made, whose engine need not be started."""
        ...


def traits_of(made: LoadedModel, abilities: Set[Ability], embedding_dimension: int | None = None) -> Traits:
    """The traits that the prompts of `made`, if they are ours, and its engine's `abilities` amount to."""
    if not isinstance(made, GenerationModel):
        return Traits(abilities=abilities, embedding_dimension=embedding_dimension)
    chat = made.chat
    return Traits(
        function_calling=chat.output_format.calls is not None,
        reasoning_efforts=tuple(chat.reasoning_efforts),
        modalities=frozenset(kind for kind in chat.modalities if _NEEDS[kind] in abilities),
        abilities=abilities,
    )
