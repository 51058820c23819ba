"""The admin API: the models of this server."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from tramontane.api.body import admin_body_of
from tramontane.api.deps import ServicesDep, admin_context
from tramontane.api.openapi import answers, operation
from tramontane.api.render import json_response
from tramontane.models.admin_cards import job_card, job_cards, served_model_card, served_model_cards
from tramontane.schemas.admin.models import (
    AddModelRequest,
    ModelJobCard,
    ModelJobCardList,
    RemovedModelCard,
    ServedModelCard,
    ServedModelCardList,
)
from tramontane.settings import ModelSettings

router = APIRouter(tags=["admin: models"], dependencies=[Depends(admin_context)])

MODELS = "/v1/admin/models"
JOBS = "/v1/admin/model-jobs"

Addition = Annotated[AddModelRequest, Depends(admin_body_of(AddModelRequest))]
Force = Annotated[bool, Query(description="Also if it is in use: its answers then end with an error.")]


@router.get(MODELS, summary="List served models", openapi_extra=answers(ServedModelCardList))
async def list_models(services: ServicesDep) -> Response:
    """All models of this server, in memory or not."""
    return json_response(await served_model_cards(services.models))


@router.post(MODELS, summary="Add a model", openapi_extra=operation(AddModelRequest, ModelJobCard))
async def add_model(services: ServicesDep, body: Addition) -> Response:
    """Fetch and convert a model in the background, then serve it, now and after each start.

    The answer is a job to follow.
    """
    given = body.model_dump(exclude_unset=True, exclude={"accept_licence"})
    job = await services.models.add(ModelSettings.model_validate(given), accepts_licence=body.accept_licence)
    return json_response(job_card(job))


@router.post(MODELS + "/{model_id:path}/load", summary="Load a model", openapi_extra=answers(ServedModelCard))
async def load_model(
    model_id: str,
    services: ServicesDep,
    wait: Annotated[bool, Query(description="Answer when it is loaded.")] = False,
) -> Response:
    """Take the model into memory; one that only a command loads answers requests from now on."""
    model = await services.models.load(model_id, wait=wait)
    return json_response(await served_model_card(services.models, model))


@router.post(
    MODELS + "/{model_id:path}/unload", summary="Unload a model", openapi_extra=answers(ServedModelCard)
)
async def unload_model(model_id: str, services: ServicesDep, force: Force = False) -> Response:
    """Take the model out of memory. The next request loads it again, unless only a command does."""
    model = await services.models.unload(model_id, force=force)
    return json_response(await served_model_card(services.models, model))


@router.get(
    MODELS + "/{model_id:path}", summary="Retrieve a served model", openapi_extra=answers(ServedModelCard)
)
async def retrieve_model(model_id: str, services: ServicesDep) -> Response:
    """The model that answers to an id, and what it does now."""
    model = services.models.get(model_id)
    return json_response(await served_model_card(services.models, model))


@router.delete(
    MODELS + "/{model_id:path}", summary="Remove an added model", openapi_extra=answers(RemovedModelCard)
)
async def remove_model(model_id: str, services: ServicesDep, force: Force = False) -> Response:
    """Serve the model no longer. Its files stay."""
    name = services.models.get(model_id).name
    await services.models.remove(name, force=force)
    return json_response(RemovedModelCard(id=name))


@router.get(JOBS, summary="List model jobs", openapi_extra=answers(ModelJobCardList))
async def list_jobs(services: ServicesDep) -> Response:
    """The models that are being added to this server, and the last ones that were, the newest first."""
    return json_response(job_cards(services.models.jobs()))


@router.get(JOBS + "/{job_id}", summary="Retrieve a model job", openapi_extra=answers(ModelJobCard))
async def retrieve_job(job_id: str, services: ServicesDep) -> Response:
    """How far it is."""
    return json_response(job_card(services.models.job(job_id)))


@router.post(JOBS + "/{job_id}/cancel", summary="Cancel a model job", openapi_extra=answers(ModelJobCard))
async def cancel_job(job_id: str, services: ServicesDep) -> Response:
    """Break it off. What was fetched stays, and a next time goes on from there."""
    return json_response(job_card(await services.models.cancel(job_id)))
