"""Workspaces and keys as the admin API and the commands show them."""

from collections.abc import Iterable

from tramontane.accounts.entities import AdminKey, ApiKey, NewKey, Workspace
from tramontane.schemas.admin.accounts import (
    AdminKeyCard,
    AdminKeyCardList,
    ApiKeyCard,
    ApiKeyCardList,
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


def workspace_cards(workspaces: Iterable[Workspace]) -> WorkspaceCardList:
    """Several workspaces."""
    return WorkspaceCardList(data=[workspace_card(workspace) for workspace in workspaces])


def api_key_card(key: ApiKey, now: float) -> ApiKeyCard:
    """One API key, as it is at the time `now`."""
    return ApiKeyCard(
        id=key.id,
        workspace_id=key.workspace_id,
        name=key.name,
        hint=key.hint,
        status=key.status(now).value,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )


def api_key_cards(keys: Iterable[ApiKey], now: float) -> ApiKeyCardList:
    """Several API keys."""
    return ApiKeyCardList(data=[api_key_card(key, now) for key in keys])


def new_api_key_card(new: NewKey[ApiKey], now: float) -> NewApiKeyCard:
    """An API key with its text."""
    return NewApiKeyCard(**api_key_card(new.record, now).model_dump(), key=new.key)


def admin_key_card(key: AdminKey, now: float) -> AdminKeyCard:
    """One admin key, as it is at the time `now`."""
    return AdminKeyCard(
        id=key.id,
        organization_id=key.owner_id,
        name=key.name,
        hint=key.hint,
        status=key.status(now).value,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )


def admin_key_cards(keys: Iterable[AdminKey], now: float) -> AdminKeyCardList:
    """Several admin keys."""
    return AdminKeyCardList(data=[admin_key_card(key, now) for key in keys])


def new_admin_key_card(new: NewKey[AdminKey], now: float) -> NewAdminKeyCard:
    """An admin key with its text."""
    return NewAdminKeyCard(**admin_key_card(new.record, now).model_dump(), key=new.key)
