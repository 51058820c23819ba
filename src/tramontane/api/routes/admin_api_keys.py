"""The admin API: the API keys of workspaces."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from tramontane.accounts.cards import key_card, key_cards, new_key_card
from tramontane.accounts.entities import ApiKey
from tramontane.api.body import admin_body_of
from tramontane.api.deps import AdminDep, PartDep, ServicesDep, admin_context
from tramontane.api.openapi import answers, operation
from tramontane.api.render import SHOWN_ONCE, json_response
from tramontane.schemas.admin.accounts import (
    ApiKeyCard,
    CreateApiKeyRequest,
    KeyCardList,
    NewApiKeyCard,
    RotateKeyRequest,
)

router = APIRouter(
    prefix="/v1/admin/api-keys", tags=["admin: API keys"], dependencies=[Depends(admin_context)]
)

Creation = Annotated[CreateApiKeyRequest, Depends(admin_body_of(CreateApiKeyRequest))]
Rotation = Annotated[RotateKeyRequest, Depends(admin_body_of(RotateKeyRequest, may_be_empty=True))]


@router.get("", summary="List API keys", openapi_extra=answers(KeyCardList))
async def list_api_keys(
    admin: AdminDep,
    services: ServicesDep,
    part: PartDep,
    workspace_id: Annotated[str | None, Query(description="Only the keys of this workspace.")] = None,
) -> Response:
    """The API keys of all workspaces or of one, oldest first; those that have ended too."""
    if workspace_id is not None:
        workspace_id = (await services.workspaces.get(admin.organization_id, workspace_id)).id
    chosen = None if workspace_id is None else [workspace_id]
    found = await services.keys.page(ApiKey, admin.organization_id, part, chosen)
    return json_response(key_cards(found.items, services.clock.now(), has_more=found.has_more))


@router.post("", summary="Create an API key", openapi_extra=operation(CreateApiKeyRequest, NewApiKeyCard))
async def create_api_key(admin: AdminDep, services: ServicesDep, body: Creation) -> Response:
    """A new API key, shown only in this answer."""
    made = await services.keys.create_api_key(
        admin.organization_id, body.workspace_id, body.name, body.expires_at
    )
    return json_response(new_key_card(made, services.clock.now()), SHOWN_ONCE)


@router.get("/{key_id}", summary="Retrieve an API key", openapi_extra=answers(ApiKeyCard))
async def retrieve_api_key(key_id: str, admin: AdminDep, services: ServicesDep) -> Response:
    """All that is known of one API key."""
    found = await services.keys.get(ApiKey, admin.organization_id, key_id)
    return json_response(key_card(found, services.clock.now()))


@router.post(
    "/{key_id}/rotate",
    summary="Rotate an API key",
    openapi_extra=operation(RotateKeyRequest, NewApiKeyCard, body_required=False),
)
async def rotate_api_key(key_id: str, admin: AdminDep, services: ServicesDep, body: Rotation) -> Response:
    """A new API key in the place of this one, which goes on for a while or is revoked at once."""
    made = await services.keys.rotate(
        ApiKey,
        admin.organization_id,
        key_id,
        grace_seconds=body.grace_seconds,
        expires_at=body.expires_at,
    )
    return json_response(new_key_card(made, services.clock.now()), SHOWN_ONCE)


@router.delete("/{key_id}", summary="Revoke an API key", openapi_extra=answers(ApiKeyCard))
async def revoke_api_key(key_id: str, admin: AdminDep, services: ServicesDep) -> Response:
    """End the key at once, in every process. Its record and what it has used stay."""
    ended = await services.keys.revoke(ApiKey, admin.organization_id, key_id)
    return json_response(key_card(ended, services.clock.now()))
