"""Models."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from tramontane.api.deps import ServicesDep, request_context
from tramontane.api.openapi import answers
from tramontane.api.render import json_response
from tramontane.models.cards import model_card, model_list
from tramontane.schemas.models import BaseModelCard, ModelList

router = APIRouter(tags=["models"], dependencies=[Depends(request_context)])


@router.get("/v1/models", summary="List models", openapi_extra=answers(ModelList))
async def list_models(
    services: ServicesDep,
    provider: Annotated[str | None, Query(description="Only models that are `owned_by` this.")] = None,
    model: Annotated[str | None, Query(description="Only ids that this model answers to.")] = None,
) -> Response:
    """All ids that are served, each alias as an entry of its own."""
    return json_response(model_list(services.catalog, int(services.clock.now()), provider, model))


@router.get("/v1/models/{model_id:path}", summary="Retrieve model", openapi_extra=answers(BaseModelCard))
async def retrieve_model(model_id: str, services: ServicesDep) -> Response:
    """The card of one id."""
    return json_response(model_card(services.catalog, int(services.clock.now()), model_id))
