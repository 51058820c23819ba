"""`/v1/admin/…`: workspaces and keys. The hosted API documents no such routes; the shapes are in its style.

Times are Unix seconds.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from tramontane.schemas.base import WireModel
from tramontane.settings import Plan

_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999."""
_YEAR: Final = 366 * 24 * 60 * 60

Time = Annotated[int, Field(ge=0, le=_LAST_SECOND)]
Name = Annotated[str, Field(max_length=1024)]
"""What a name must be is checked where it is used."""


class WorkspaceCard(WireModel):
    """A workspace."""

    id: str
    object: Literal["workspace"] = "workspace"
    organization_id: str
    name: str
    plan: str
    status: Literal["active", "archived"]
    created_at: Time
    archived_at: Time | None


class _List(WireModel):
    """What all lists have in common; `last_id` as `after` of the next request goes on."""

    object: Literal["list"] = "list"
    first_id: str | None
    last_id: str | None
    has_more: bool


class WorkspaceCardList(_List):
    """Workspaces, oldest first."""

    data: list[WorkspaceCard]


class CreateWorkspaceRequest(WireModel):
    """A workspace to be made."""

    name: Name
    plan: Plan = "experiment"


class UpdateWorkspaceRequest(WireModel):
    """What is to become another; what is left out stays."""

    name: Name | None = None
    plan: Plan | None = None


class _KeyCard(WireModel):
    """What all keys have in common."""

    id: str
    object: str
    name: str
    hint: str = Field(description="Its first and last characters: the key itself is not kept.")
    status: Literal["active", "expired", "revoked"]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None = Field(description="Up to a minute old.")


class ApiKeyCard(_KeyCard):
    """An API key, which opens the models in the name of a workspace."""

    object: Literal["api_key"] = "api_key"
    workspace_id: str


class NewApiKeyCard(ApiKeyCard):
    """An API key that was made just now."""

    key: str = Field(description="The key. It is shown only now.")


class AdminKeyCard(_KeyCard):
    """An admin key, which opens the admin API and nothing else."""

    object: Literal["admin_key"] = "admin_key"
    organization_id: str


class KeyCardList(_List):
    """Keys of one kind, oldest first."""

    data: list[ApiKeyCard | AdminKeyCard]


class NewAdminKeyCard(AdminKeyCard):
    """An admin key that was made just now."""

    key: str = Field(description="The key. It is shown only now.")


class CreateApiKeyRequest(WireModel):
    """An API key to be made."""

    workspace_id: str
    name: Name
    expires_at: Time | None = None


class CreateAdminKeyRequest(WireModel):
    """An admin key to be made."""

    name: Name
    expires_at: Time | None = None


class RotateKeyRequest(WireModel):
    """How a key gives way to a new one."""

    grace_seconds: Annotated[int, Field(ge=0, le=_YEAR)] = Field(
        24 * 60 * 60, description="How long the old key goes on. With 0 it is revoked at once."
    )
    expires_at: Time | None = Field(
        None, description="Of the new key; else it lives as long as the old one was meant to."
    )
