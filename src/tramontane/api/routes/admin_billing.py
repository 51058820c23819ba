"""The admin API: spending limits and usage, where the hosted Admin API has them and as it shows them."""

from dataclasses import replace
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Response

from tramontane.api.body import admin_body_of
from tramontane.api.deps import AdminDep, Services, ServicesDep, admin_context
from tramontane.api.openapi import answers, operation
from tramontane.api.render import json_response
from tramontane.billing.calendar import last_day, month_of
from tramontane.billing.cards import spend_limit_card, usage_card
from tramontane.billing.prices.repository import EVERY_WORKSPACE
from tramontane.billing.spending.claims import Scope
from tramontane.billing.usage.export import as_csv, as_json
from tramontane.billing.usage.report import By, UsageQuery
from tramontane.core.principal import AdminPrincipal
from tramontane.schemas.admin.billing import SetSpendLimitRequest, SpendLimitCard, UsageCard

router = APIRouter(prefix="/v1/admin", tags=["admin: billing"], dependencies=[Depends(admin_context)])

Limit = Annotated[SetSpendLimitRequest, Depends(admin_body_of(SetSpendLimitRequest))]
WorkspaceId = Annotated[str | None, Query(description="Of this workspace only.")]


@router.get("/spend-limit", summary="Retrieve the spending limit", openapi_extra=answers(SpendLimitCard))
async def retrieve_spend_limit(
    admin: AdminDep, services: ServicesDep, workspace_id: WorkspaceId = None
) -> Response:
    """The limit of the organization or of a workspace, and how much of it is used this month."""
    scope, scope_id = await _scope(admin, services, workspace_id)
    return json_response(spend_limit_card(await services.spending.status(scope, scope_id)))


@router.post(
    "/spend-limit",
    summary="Set the spending limit",
    openapi_extra=operation(SetSpendLimitRequest, SpendLimitCard),
)
async def set_spend_limit(admin: AdminDep, services: ServicesDep, body: Limit) -> Response:
    """Set or take away the limit of the organization or of a workspace; it holds at once."""
    scope, scope_id = await _scope(admin, services, body.workspace_id)
    await services.spending.set(scope, scope_id, body.amount)
    return json_response(spend_limit_card(await services.spending.status(scope, scope_id)))


@router.get("/usage", summary="Retrieve the usage of a month", openapi_extra=answers(UsageCard))
async def retrieve_usage(
    admin: AdminDep,
    services: ServicesDep,
    month: Annotated[int | None, Query(ge=1, le=12)] = None,
    year: Annotated[int | None, Query(ge=2000, le=9998)] = None,
    workspace_id: WorkspaceId = None,
    api_zone: Annotated[  # noqa: ARG001  a program that names it is served
        str | None, Query(description="A region of the hosted API. This server is all there is.")
    ] = None,
) -> Response:
    """What was used in a month, by default the current one, by day, model and direction."""
    today = month_of(services.clock.now())
    first = date(year or today.year, month or today.month, 1)
    await _scope(admin, services, workspace_id)
    query = UsageQuery(
        first, last_day(first), organization_id=admin.organization_id, workspace_id=workspace_id
    )
    days = await services.usage.by_day_and_model(query)
    total = as_json(await services.usage.report(query))["total"]
    prices = await services.prices.book()
    return json_response(usage_card(first, days, prices, workspace_id or EVERY_WORKSPACE, total))


async def report_query(
    since: date,
    until: date,
    by: By = By.DAY,
    key_id: Annotated[UUID | None, Query(description="Of this key only.")] = None,
    model: Annotated[str | None, Query(description="Of this id asked only.")] = None,
) -> UsageQuery:
    """The days, and what to add up; async only to stay off FastAPI's thread pool."""
    return UsageQuery(since, until, by, key_id=None if key_id is None else str(key_id), model=model)


@router.get(
    "/usage/report",
    summary="Report the usage of some days",
    responses={200: {"content": {"application/json": {}, "text/csv": {}}}},
)
async def report_usage(
    admin: AdminDep,
    services: ServicesDep,
    asked: Annotated[UsageQuery, Depends(report_query)],
    workspace_id: WorkspaceId = None,
    format: Annotated[Literal["json", "csv"], Query()] = "json",  # noqa: A002  its name on the wire
) -> Response:
    """Totals by day, month, model, key or workspace, as JSON or CSV; money is text, in USD."""
    await _scope(admin, services, workspace_id)
    query = replace(asked, organization_id=admin.organization_id, workspace_id=workspace_id)
    report = await services.usage.report(query)
    if format == "csv":
        return Response(as_csv(report), media_type="text/csv; charset=utf-8")
    return Response(orjson.dumps(as_json(report)), media_type="application/json")


async def _scope(admin: AdminPrincipal, services: Services, workspace_id: str | None) -> tuple[Scope, str]:
    """What is meant; raises `NotFoundError` for a workspace that is not the administrator's."""
    if workspace_id is None:
        return Scope.ORGANIZATION, admin.organization_id
    workspace = await services.workspaces.get(admin.organization_id, workspace_id)
    return Scope.WORKSPACE, workspace.id
