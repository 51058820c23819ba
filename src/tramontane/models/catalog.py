"""Which model answers to which id."""

from collections.abc import Iterator, Sequence
from typing import cast

from tramontane.catalog.names import names_of
from tramontane.errors import ConfigurationError, FeatureNotEnabledError, InvalidModelError
from tramontane.models.loaded import AnyEmbeddingModel, AnyGenerationModel
from tramontane.models.loader import ModelT
from tramontane.models.served import ServedModel

AnyModel = ServedModel[AnyGenerationModel] | ServedModel[AnyEmbeddingModel]


class Catalog:
    """All served models by id and alias, as `names_of` has them, whether they are in memory or not.

    Raises:
        ConfigurationError: two models have the same id of their own.
    """

    def __init__(self, models: Sequence[AnyModel] = ()) -> None:
        self._set(models)

    def __iter__(self) -> Iterator[AnyModel]:
        return iter(self._models)

    def add(self, models: Sequence[AnyModel]) -> None:
        """Serve more models, behind those that are served already.

        Raises:
            ConfigurationError: one of them has the id of another one; then none is added.
        """
        self._set((*self._models, *models))

    def remove(self, models: Sequence[AnyModel]) -> None:
        """Serve these no longer."""
        self._set([model for model in self._models if model not in models])

    def find(self, model_id: str) -> AnyModel | None:
        """The model that answers to `model_id`, if there is one."""
        return self._by_id.get(model_id)

    def ids(self) -> Sequence[str]:
        """Every id and alias, models in order, each model's own id first."""
        return tuple(model_id for model in self._models for model_id in self.ids_of(model))

    def ids_of(self, model: AnyModel) -> Sequence[str]:
        """What really reaches `model`: an id that another one has a better claim to is not among them."""
        profile = model.profile
        names = (profile.id, *profile.own_aliases, *profile.aliases)
        return tuple(name for name in names if self._by_id[name] is model)

    def stand_ins_of(self, model: AnyModel) -> Sequence[str]:
        """The ids of `ids_of` that are other models' names."""
        return tuple(name for name in model.profile.aliases if self._by_id[name] is model)

    def generation(self, model_id: str, feature: str) -> ServedModel[AnyGenerationModel]:
        """The model for a completion; `feature` is what to call it in the refusal.

        Raises:
            InvalidModelError: nothing answers to the id.
            FeatureNotEnabledError: an embedding model does.
        """
        model = self._by_id.get(model_id)
        if model is None:
            raise InvalidModelError(model_id)
        if not generates(model):
            raise FeatureNotEnabledError(feature)
        return cast("ServedModel[AnyGenerationModel]", model)

    def embedding(self, model_id: str) -> ServedModel[AnyEmbeddingModel]:
        """The model for embeddings.

        Raises:
            InvalidModelError: nothing answers to the id, or a model that has no embeddings.
        """
        model = self._by_id.get(model_id)
        if model is None or generates(model):
            raise InvalidModelError(model_id)
        return cast("ServedModel[AnyEmbeddingModel]", model)

    def with_spill(self, model: ServedModel[ModelT]) -> Sequence[ServedModel[ModelT]]:
        """`model`, and behind it those that take its requests when it cannot, as far as they are served."""
        behind = [self._by_id.get(model_id) for model_id in model.settings.spill]
        others = [other for other in behind if other is not None and other.task == model.task]
        return (model, *cast("list[ServedModel[ModelT]]", others))

    def check_spill(self) -> None:
        """Return if every model that is to take over requests is there, and can.

        Raises:
            ConfigurationError: one is not.
        """
        for model in self._models:
            for model_id in model.settings.spill:
                other = self._by_id.get(model_id)
                if other is None or other is model or other.task != model.task:
                    raise ConfigurationError(
                        f"spill of model {model.name}: {model_id} is no other model of its task that is "
                        f"served. Name the id of another [[models]] table."
                    )

    def _set(self, models: Sequence[AnyModel]) -> None:
        names = names_of([model.profile for model in models])
        by_own_id = {model.profile.id: model for model in models}
        self._by_id = {name: by_own_id[profile.id] for name, profile in names.items()}
        self._models = tuple(models)


def generates(model: AnyModel) -> bool:
    """Whether it continues text; else it embeds."""
    return model.task == "generate"
