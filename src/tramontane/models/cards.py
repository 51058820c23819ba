"""The entries of `/v1/models`: a card for every id, aliases too."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, time

from tramontane.catalog.hosted import HostedModel, find_hosted
from tramontane.errors import ModelNotFoundError
from tramontane.models.catalog import AnyModel, Catalog
from tramontane.schemas.models import BaseModelCard, ModelCapabilities, ModelList


def model_list(
    catalog: Catalog, created: int, provider: str | None = None, model: str | None = None
) -> ModelList:
    """A card for every id, models in order, each model's own id before its aliases.

    Args:
        catalog: what is served.
        created: Unix seconds; the hosted API gives the time of the request.
        provider: only cards that are `owned_by` this.
        model: only the ids of the model that answers to this one.
    """
    cards: list[BaseModelCard] = []
    for served in catalog:
        if provider not in {None, served.profile.owned_by}:
            continue
        if model is not None and catalog.find(model) is not served:
            continue
        ids = catalog.ids_of(served)
        cards.extend(_card(served, model_id, ids, created) for model_id in ids)
    return ModelList(data=cards)


def model_card(catalog: Catalog, created: int, model_id: str) -> BaseModelCard:
    """The card of one id.

    Raises:
        ModelNotFoundError: nothing answers to it.
    """
    served = catalog.find(model_id)
    if served is None:
        raise ModelNotFoundError(model_id)
    return _card(served, model_id, catalog.ids_of(served), created)


def _card(served: AnyModel, model_id: str, ids: Sequence[str], created: int) -> BaseModelCard:
    profile = served.profile
    stands_in = model_id not in {profile.id, *profile.own_aliases}
    hosted = find_hosted(model_id)
    return BaseModelCard(
        id=model_id,
        created=created,
        owned_by=profile.owned_by,
        capabilities=_capabilities(served),
        name=profile.id,
        description=f"Stand-in for {model_id}: {profile.description}" if stands_in else profile.description,
        max_context_length=profile.max_context_length,
        aliases=[other for other in ids if other != model_id],
        deprecation=_end(hosted),
        deprecation_replacement_model=hosted.replacement if hosted and hosted.retires else None,
        default_model_temperature=profile.default_temperature,
    )


def _end(hosted: HostedModel | None) -> datetime | None:
    """When the hosted API stops serving the id; it says noon in UTC."""
    if hosted is None or hosted.retires is None:
        return None
    return datetime.combine(hosted.retires, time(12), UTC)


def _capabilities(served: AnyModel) -> ModelCapabilities:
    """What the model's maker says, and what its prompts can say."""
    capabilities = asdict(served.profile.capabilities)
    capabilities["function_calling"] = served.traits.function_calling
    capabilities["reasoning"] = bool(served.traits.reasoning_efforts)
    return ModelCapabilities(**capabilities)
