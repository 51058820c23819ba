"""Workspaces: what keys, limits and usage belong to."""

from collections.abc import Mapping, Sequence
from typing import get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, ApiKey
from tramontane.console.forms import form_of
from tramontane.console.gate import Handler
from tramontane.console.paging import paged
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page
from tramontane.errors import ApiError
from tramontane.limits.plans import plans
from tramontane.settings import Plan


def routes(parts: Parts) -> Sequence[tuple[str, str, Handler]]:
    """The list, a page for each, and what is done with them."""
    actions = _Actions(parts)
    return [
        ("GET", "/workspaces", actions.show),
        ("POST", "/workspaces", actions.create),
        ("GET", "/workspaces/{workspace_id}", actions.show_one),
        ("POST", "/workspaces/{workspace_id}", actions.change),
        ("POST", "/workspaces/{workspace_id}/archive", actions.archive),
    ]


class _Actions:
    """In the name of the administrator, with the workspaces of the default organization."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._workspaces = parts.workspaces

    async def show(self, request: Request) -> Response:
        """The list."""
        return await self._list(request, {}, "")

    async def create(self, request: Request) -> Response:
        """A new workspace, without keys."""
        fields = await form_of(request)
        try:
            made = await self._workspaces.create(
                DEFAULT_ORGANIZATION_ID, fields.get("name", ""), fields.get("plan", "")
            )
        except ApiError as error:
            return await self._list(request, fields, error.message, error.status)
        return _to(made.id)

    async def show_one(self, request: Request) -> Response:
        """One workspace."""
        return await self._one(request, "")

    async def change(self, request: Request) -> Response:
        """Another name, another plan; they hold at once."""
        fields = await form_of(request)
        workspace_id = request.path_params["workspace_id"]
        try:
            await self._workspaces.change(
                DEFAULT_ORGANIZATION_ID, workspace_id, name=fields.get("name"), plan=fields.get("plan")
            )
        except ApiError as error:
            return await self._one(request, error.message, error.status)
        return _to(workspace_id)

    async def archive(self, request: Request) -> Response:
        """Revoke its keys and give its name free."""
        try:
            await self._workspaces.archive(DEFAULT_ORGANIZATION_ID, request.path_params["workspace_id"])
        except ApiError as error:
            return await self._one(request, error.message, error.status)
        return RedirectResponse(f"{PREFIX}/workspaces", status_code=303)

    async def _list(
        self, request: Request, fields: Mapping[str, str], problem: str, status: int = 200
    ) -> Response:
        found = await self._workspaces.list(DEFAULT_ORGANIZATION_ID)
        keys = await self._parts.keys.list(ApiKey, DEFAULT_ORGANIZATION_ID)
        now = self._parts.clock.now()
        active = [key.workspace_id for key in keys if key.is_valid(now)]
        values = {
            "workspaces": paged(request, sorted(found, key=lambda one: one.archived_at is not None)),
            "active_keys": {workspace.id: active.count(workspace.id) for workspace in found},
            "plans": get_args(Plan),
            "fields": fields,
            "problem": problem,
        }
        return page(request, "workspaces.html", values, status)

    async def _one(self, request: Request, problem: str, status: int = 200) -> Response:
        workspace_id = request.path_params["workspace_id"]
        workspace = await self._workspaces.get(DEFAULT_ORGANIZATION_ID, workspace_id)
        values = {
            "workspace": workspace,
            "is_default": workspace.id == DEFAULT_WORKSPACE_ID,
            "plans": plans(),
            "problem": problem,
        }
        return page(request, "workspace.html", values, status)


def _to(workspace_id: str) -> Response:
    return RedirectResponse(f"{PREFIX}/workspaces/{workspace_id}", status_code=303)
