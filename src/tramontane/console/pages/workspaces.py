"""Workspaces: what keys, limits and usage belong to."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, cast, get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, ApiKey, Workspace
from tramontane.billing.spending.claims import Scope
from tramontane.console.forms import form_of
from tramontane.console.gate import Handler
from tramontane.console.paging import paged
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page
from tramontane.errors import ApiError, ConflictError, InvalidRequestError
from tramontane.limits.figures import Changes, Figure, Override
from tramontane.limits.plans import plans
from tramontane.settings import Plan

LIMIT_FIELDS: Final = {
    "requests_per_minute": "Requests a minute",
    "burst": "Requests at once",
    "tokens_per_minute": "Tokens a minute",
    "tokens_per_month": "Tokens a month",
}
MAX_DIGITS: Final = 15


def routes(parts: Parts) -> Sequence[tuple[str, str, Handler]]:
    """The list, a page for each, and what is done with them."""
    actions = _Actions(parts)
    return [
        ("GET", "/workspaces", actions.show),
        ("POST", "/workspaces", actions.create),
        ("GET", "/workspaces/{workspace_id}", actions.show_one),
        ("POST", "/workspaces/{workspace_id}", actions.change),
        ("POST", "/workspaces/{workspace_id}/limits", actions.set_limits),
        ("POST", "/workspaces/{workspace_id}/spending", actions.set_spending),
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

    async def set_limits(self, request: Request) -> Response:
        """Figures in the place of the plan's, for all models; they hold at once."""
        fields = await form_of(request)
        try:
            workspace = await self._changeable(request)
            changes = {name: _figure(name, fields.get(name, "")) for name in LIMIT_FIELDS}
            await self._parts.limits.change(workspace.id, None, cast("Changes", changes))
        except ApiError as error:
            return await self._one(request, error.message, error.status)
        return _to(workspace.id)

    async def set_spending(self, request: Request) -> Response:
        """What the workspace may spend in a month; an empty field is no limit."""
        amount = (await form_of(request)).get("amount", "").removeprefix("$").replace(",", "")
        try:
            workspace = await self._changeable(request)
            await self._parts.spending.set(Scope.WORKSPACE, workspace.id, _amount(amount))
        except ApiError as error:
            return await self._one(request, error.message, error.status)
        return _to(workspace.id)

    async def archive(self, request: Request) -> Response:
        """Revoke its keys and give its name free."""
        try:
            await self._workspaces.archive(DEFAULT_ORGANIZATION_ID, request.path_params["workspace_id"])
        except ApiError as error:
            return await self._one(request, error.message, error.status)
        return RedirectResponse(f"{PREFIX}/workspaces", status_code=303)

    async def _changeable(self, request: Request) -> Workspace:
        workspace_id = request.path_params["workspace_id"]
        workspace = await self._workspaces.get(DEFAULT_ORGANIZATION_ID, workspace_id)
        if workspace.archived_at is not None:
            raise ConflictError(f"The workspace {workspace.name!r} is archived")
        return workspace

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
        limits = await self._parts.limits.get(workspace.id)
        values = {
            "workspace": workspace,
            "is_default": workspace.id == DEFAULT_WORKSPACE_ID,
            "plans": plans(),
            "limit_fields": LIMIT_FIELDS,
            "limits": limits.of(None),
            "override": limits.overrides.get(None, Override()),
            "models_with_own": [model for model in limits.overrides if model is not None],
            "spending": await self._parts.spending.status(Scope.WORKSPACE, workspace.id),
            "problem": problem,
        }
        return page(request, "workspace.html", values, status)


def _figure(name: str, text: str) -> Figure | None:
    """Nothing is the plan's own figure."""
    text = text.replace(",", "").replace(" ", "")
    if not text:
        return None
    if text == "unlimited" and name != "burst":
        return "unlimited"
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS) or (
        name == "burst" and int(text) < 1
    ):
        raise InvalidRequestError(f"{LIMIT_FIELDS[name]}: {text!r:.40} is neither a number nor “unlimited”")
    return int(text)


def _amount(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise InvalidRequestError(f"{text!r:.40} is no amount in US dollars") from error


def _to(workspace_id: str) -> Response:
    return RedirectResponse(f"{PREFIX}/workspaces/{workspace_id}", status_code=303)
