"""The admin API: limits of workspaces."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Response

from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID
from tramontane.api.body import admin_body_of
from tramontane.api.deps import AdminDep, Services, ServicesDep, admin_context
from tramontane.api.openapi import answers, operation
from tramontane.api.render import json_response
from tramontane.errors import ModelNotFoundError
from tramontane.limits.cards import limits_card, rate_limit
from tramontane.limits.figures import NO_OVERRIDE, Changes
from tramontane.schemas.admin.limits import LimitOverride, RateLimit, WorkspaceLimitsCard

router = APIRouter(tags=["admin: limits"], dependencies=[Depends(admin_context)])

LIMITS = "/v1/admin/workspaces/{workspace_id}/limits"

Body = Annotated[LimitOverride, Depends(admin_body_of(LimitOverride))]


@router.get("/v1/admin/rate-limit", summary="Get rate limits", openapi_extra=answers(RateLimit))
async def get_rate_limit(
    admin: AdminDep,
    services: ServicesDep,
    workspace_id: Annotated[str, Query(description="Whose; else the default workspace's.")] = (
        DEFAULT_WORKSPACE_ID
    ),
) -> Response:
    """The limits of one workspace for each model that is served, as the hosted API shows them."""
    workspace = await services.workspaces.get(admin.organization_id, workspace_id)
    limits = await services.limits.get(workspace.id)
    return json_response(rate_limit(limits, (model.profile.id for model in services.catalog)))


@router.get(LIMITS, summary="Retrieve limits", openapi_extra=answers(WorkspaceLimitsCard))
async def retrieve_limits(workspace_id: str, admin: AdminDep, services: ServicesDep) -> Response:
    """The plan's figures and what holds in their place."""
    workspace = await services.workspaces.get(admin.organization_id, workspace_id)
    return json_response(limits_card(await services.limits.get(workspace.id)))


@router.patch(LIMITS, summary="Set limits", openapi_extra=operation(LimitOverride, WorkspaceLimitsCard))
async def set_limits(workspace_id: str, admin: AdminDep, services: ServicesDep, body: Body) -> Response:
    """Change figures for all models that have none of their own; null gives one back to the plan."""
    return await _change(services, admin.organization_id, workspace_id, None, _changes(body))


@router.delete(LIMITS, summary="Unset limits", openapi_extra=answers(WorkspaceLimitsCard))
async def unset_limits(workspace_id: str, admin: AdminDep, services: ServicesDep) -> Response:
    """Give all figures back to the plan, but those of single models."""
    return await _change(services, admin.organization_id, workspace_id, None, NO_OVERRIDE)


@router.patch(
    LIMITS + "/{model_id:path}",
    summary="Set limits of a model",
    openapi_extra=operation(LimitOverride, WorkspaceLimitsCard),
)
async def set_model_limits(
    workspace_id: str, model_id: str, admin: AdminDep, services: ServicesDep, body: Body
) -> Response:
    """Change figures for one model; null gives one back to the workspace's."""
    model = services.served_model_id(model_id)
    if model is None:
        raise ModelNotFoundError(model_id)
    return await _change(services, admin.organization_id, workspace_id, model, _changes(body))


@router.delete(
    LIMITS + "/{model_id:path}", summary="Unset limits of a model", openapi_extra=answers(WorkspaceLimitsCard)
)
async def unset_model_limits(
    workspace_id: str, model_id: str, admin: AdminDep, services: ServicesDep
) -> Response:
    """Give all figures of one model back, also of one that is no longer served."""
    model = services.served_model_id(model_id) or model_id
    return await _change(services, admin.organization_id, workspace_id, model, NO_OVERRIDE)


async def _change(
    services: Services, organization_id: str, workspace_id: str, model: str | None, changes: Changes
) -> Response:
    workspace = await services.workspaces.get(organization_id, workspace_id)
    return json_response(limits_card(await services.limits.change(workspace.id, model, changes)))


def _changes(body: LimitOverride) -> Changes:
    """Only what was sent: a field that is left out stays, one that is null goes."""
    return cast("Changes", body.model_dump(exclude_unset=True))
