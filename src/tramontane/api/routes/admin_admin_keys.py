"""The admin API: its own keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from tramontane.accounts.cards import key_card, key_cards, new_key_card
from tramontane.accounts.entities import AdminKey
from tramontane.api.body import admin_body_of
from tramontane.api.deps import AdminDep, PartDep, ServicesDep, admin_context
from tramontane.api.openapi import answers, operation
from tramontane.api.render import SHOWN_ONCE, json_response
from tramontane.schemas.admin.accounts import (
    AdminKeyCard,
    CreateAdminKeyRequest,
    KeyCardList,
    NewAdminKeyCard,
    RotateKeyRequest,
)

router = APIRouter(
    prefix="/v1/admin/admin-keys", tags=["admin: admin keys"], dependencies=[Depends(admin_context)]
)

Creation = Annotated[CreateAdminKeyRequest, Depends(admin_body_of(CreateAdminKeyRequest))]
Rotation = Annotated[RotateKeyRequest, Depends(admin_body_of(RotateKeyRequest, may_be_empty=True))]


@router.get("", summary="List admin keys", openapi_extra=answers(KeyCardList))
async def list_admin_keys(admin: AdminDep, services: ServicesDep, part: PartDep) -> Response:
    """The admin keys of the organization, oldest first; those that have ended too."""
    found = await services.keys.page(AdminKey, admin.organization_id, part)
    return json_response(key_cards(found.items, services.clock.now(), has_more=found.has_more))


@router.post(
    "", summary="Create an admin key", openapi_extra=operation(CreateAdminKeyRequest, NewAdminKeyCard)
)
async def create_admin_key(admin: AdminDep, services: ServicesDep, body: Creation) -> Response:
    """A new admin key, shown only in this answer."""
    made = await services.keys.create_admin_key(admin.organization_id, body.name, body.expires_at)
    return json_response(new_key_card(made, services.clock.now()), SHOWN_ONCE)


@router.get("/{key_id}", summary="Retrieve an admin key", openapi_extra=answers(AdminKeyCard))
async def retrieve_admin_key(key_id: str, admin: AdminDep, services: ServicesDep) -> Response:
    """All that is known of one admin key."""
    found = await services.keys.get(AdminKey, admin.organization_id, key_id)
    return json_response(key_card(found, services.clock.now()))


@router.post(
    "/{key_id}/rotate",
    summary="Rotate an admin key",
    openapi_extra=operation(RotateKeyRequest, NewAdminKeyCard, body_required=False),
)
async def rotate_admin_key(key_id: str, admin: AdminDep, services: ServicesDep, body: Rotation) -> Response:
    """A new admin key in the place of this one, which goes on for a while or is revoked at once."""
    made = await services.keys.rotate(
        AdminKey,
        admin.organization_id,
        key_id,
        grace_seconds=body.grace_seconds,
        expires_at=body.expires_at,
    )
    return json_response(new_key_card(made, services.clock.now()), SHOWN_ONCE)


@router.delete("/{key_id}", summary="Revoke an admin key", openapi_extra=answers(AdminKeyCard))
async def revoke_admin_key(key_id: str, admin: AdminDep, services: ServicesDep) -> Response:
    """End the key at once, in every process. Its record stays."""
    ended = await services.keys.revoke(AdminKey, admin.organization_id, key_id)
    return json_response(key_card(ended, services.clock.now()))
