"""The admin API: workspaces."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from tramontane.accounts.cards import workspace_card, workspace_cards
from tramontane.api.body import admin_body_of
from tramontane.api.deps import AdminDep, PartDep, ServicesDep, admin_context
from tramontane.api.openapi import answers, operation
from tramontane.api.render import json_response
from tramontane.schemas.admin.accounts import (
    CreateWorkspaceRequest,
    UpdateWorkspaceRequest,
    WorkspaceCard,
    WorkspaceCardList,
)

router = APIRouter(
    prefix="/v1/admin/workspaces", tags=["admin: workspaces"], dependencies=[Depends(admin_context)]
)

Creation = Annotated[CreateWorkspaceRequest, Depends(admin_body_of(CreateWorkspaceRequest))]
Update = Annotated[UpdateWorkspaceRequest, Depends(admin_body_of(UpdateWorkspaceRequest))]


@router.get("", summary="List workspaces", openapi_extra=answers(WorkspaceCardList))
async def list_workspaces(
    admin: AdminDep,
    services: ServicesDep,
    part: PartDep,
    archived: Annotated[bool, Query(description="The archived ones too.")] = False,
) -> Response:
    """The workspaces of the organization, oldest first."""
    found = await services.workspaces.page(admin.organization_id, part, archived=archived)
    return json_response(workspace_cards(found.items, has_more=found.has_more))


@router.post("", summary="Create a workspace", openapi_extra=operation(CreateWorkspaceRequest, WorkspaceCard))
async def create_workspace(admin: AdminDep, services: ServicesDep, body: Creation) -> Response:
    """A new workspace, without keys."""
    made = await services.workspaces.create(admin.organization_id, body.name, body.plan)
    return json_response(workspace_card(made))


@router.get("/{workspace_id}", summary="Retrieve a workspace", openapi_extra=answers(WorkspaceCard))
async def retrieve_workspace(workspace_id: str, admin: AdminDep, services: ServicesDep) -> Response:
    """One workspace."""
    return json_response(workspace_card(await services.workspaces.get(admin.organization_id, workspace_id)))


@router.patch(
    "/{workspace_id}",
    summary="Rename a workspace or set its plan",
    openapi_extra=operation(UpdateWorkspaceRequest, WorkspaceCard),
)
async def update_workspace(
    workspace_id: str, admin: AdminDep, services: ServicesDep, body: Update
) -> Response:
    """Change what is given; it holds at once."""
    changed = await services.workspaces.change(
        admin.organization_id, workspace_id, name=body.name, plan=body.plan
    )
    return json_response(workspace_card(changed))


@router.post("/{workspace_id}/archive", summary="Archive a workspace", openapi_extra=answers(WorkspaceCard))
async def archive_workspace(workspace_id: str, admin: AdminDep, services: ServicesDep) -> Response:
    """Revoke its keys and give its name free. Nothing is deleted."""
    return json_response(
        workspace_card(await services.workspaces.archive(admin.organization_id, workspace_id))
    )
