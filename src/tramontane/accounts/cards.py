"""Workspaces and keys as the admin API and the commands show them."""

from collections.abc import Sequence
from typing import Any

from tramontane.accounts.entities import AdminKey, ApiKey, Key, NewKey, Workspace
from tramontane.schemas.admin.accounts import (
    AdminKeyCard,
    ApiKeyCard,
    KeyCardList,
    NewAdminKeyCard,
    NewApiKeyCard,
    WorkspaceCard,
    WorkspaceCardList,
)


def workspace_card(workspace: Workspace) -> WorkspaceCard:
    """One workspace."""
    return WorkspaceCard(
        id=workspace.id,
        organization_id=workspace.organization_id,
        name=workspace.name,
        plan=workspace.plan,
        status="active" if workspace.archived_at is None else "archived",
        created_at=workspace.created_at,
        archived_at=workspace.archived_at,
    )


def workspace_cards(workspaces: Sequence[Workspace], *, has_more: bool = False) -> WorkspaceCardList:
    """Several workspaces."""
    return WorkspaceCardList(
        data=[workspace_card(workspace) for workspace in workspaces], **_ends(workspaces, has_more=has_more)
    )


def key_card(key: Key, now: float) -> ApiKeyCard | AdminKeyCard:
    """One key, as it is at the time `now`."""
    match key:
        case ApiKey():
            return ApiKeyCard(**_common(key, now), workspace_id=key.workspace_id)
        case AdminKey():
            return AdminKeyCard(**_common(key, now), organization_id=key.owner_id)
        case _:
            raise TypeError(key)


def key_cards(keys: Sequence[Key], now: float, *, has_more: bool = False) -> KeyCardList:
    """Several keys."""
    return KeyCardList(data=[key_card(key, now) for key in keys], **_ends(keys, has_more=has_more))


def new_key_card(new: NewKey[Key], now: float) -> NewApiKeyCard | NewAdminKeyCard:
    """A key with its text."""
    card = key_card(new.record, now)
    made = NewApiKeyCard if isinstance(card, ApiKeyCard) else NewAdminKeyCard
    return made(**card.model_dump(), key=new.key)


def _ends(items: Sequence[Workspace | Key], *, has_more: bool) -> dict[str, Any]:
    return {
        "first_id": items[0].id if items else None,
        "last_id": items[-1].id if items else None,
        "has_more": has_more,
    }


def _common(key: Key, now: float) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "status": key.status(now).value,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
