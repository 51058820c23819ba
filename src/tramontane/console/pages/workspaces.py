"""Workspaces: what keys, limits and usage belong to."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, cast, get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, Workspace
from tramontane.billing.spending.claims import Scope
from tramontane.console.actions import Action
from tramontane.console.audit import name_subject
from tramontane.console.forms import form_of
from tramontane.console.paging import asked_part, page_of
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


def routes(parts: Parts) -> Sequence[Action]:
    """The list, a page for each, and what is done with them."""
    actions = _Actions(parts)
    return [
        Action("GET", "/workspaces", actions.show),
        Action("POST", "/workspaces", actions.create, words="made the workspace"),
        Action("GET", "/workspaces/{workspace_id}", actions.show_one),
        Action("POST", "/workspaces/{workspace_id}", actions.change, words="changed the workspace"),
        Action("POST", "/workspaces/{workspace_id}/limits", actions.set_limits, words="set limits of"),
        Action("POST", "/workspaces/{workspace_id}/spending", actions.set_spending, words="set spending of"),
        Action("POST", "/workspaces/{workspace_id}/archive", actions.archive, words="archived"),
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
        """Figures in the place of the plan's, for all models or for one; they hold at once."""
        fields = await form_of(request)
        try:
            workspace = await self._changeable(request)
            changes = {name: _figure(name, fields.get(name, "")) for name in LIMIT_FIELDS}
            model = self._model(fields)
            if "unset" in fields:
                changes = dict.fromkeys(LIMIT_FIELDS)
            await self._parts.limits.change(workspace.id, model, cast("Changes", changes))
        except ApiError as error:
            return await self._one(request, error.message, error.status)
        name_subject(request, f"{workspace.name}{f' for {model}' if model else ''}: {_words(changes)}")
        return _to(workspace.id)

    def _model(self, fields: Mapping[str, str]) -> str | None:
        """The model that the form is for: any that is served, or was when it got its figures."""
        name = fields.get("model", "")
        if not name:
            return None
        served = self._parts.catalog.find(name)
        if served is None and "unset" not in fields:
            raise InvalidRequestError(f"There is no model {name!r:.100} on this server")
        return served.profile.id if served else name

    async def set_spending(self, request: Request) -> Response:
        """What the workspace may spend in a month; an empty field is no limit."""
        amount = (await form_of(request)).get("amount", "").removeprefix("$").replace(",", "")
        try:
            workspace = await self._changeable(request)
            await self._parts.spending.set(Scope.WORKSPACE, workspace.id, _amount(amount))
        except ApiError as error:
            return await self._one(request, error.message, error.status)
        name_subject(request, f"{workspace.name}: {f'${amount}' if amount else 'no limit'}")
        return _to(workspace.id)

    async def archive(self, request: Request) -> Response:
        """Revoke its keys and give its name free."""
        try:
            archived = await self._workspaces.archive(
                DEFAULT_ORGANIZATION_ID, request.path_params["workspace_id"]
            )
        except ApiError as error:
            return await self._one(request, error.message, error.status)
        name_subject(request, archived.name)
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
        shows_archived = request.query_params.get("archived") == "yes"
        found = await self._workspaces.page(
            DEFAULT_ORGANIZATION_ID, asked_part(request), archived=shows_archived
        )
        values = {
            "workspaces": page_of(request, found),
            "active_keys": await self._parts.keys.count_valid([one.id for one in found.items]),
            "shows_archived": shows_archived,
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
            "of_models": {
                model: (override, limits.of(model))
                for model, override in limits.overrides.items()
                if model is not None
            },
            "models": [model.profile.id for model in self._parts.catalog],
            "members": [
                member
                for member in await self._parts.members.list(DEFAULT_ORGANIZATION_ID)
                if workspace.id in member.workspace_ids
            ],
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


def _words(changes: Mapping[str, object]) -> str:
    chosen = [
        f"{LIMIT_FIELDS[name].lower()} {figure}" for name, figure in changes.items() if figure is not None
    ]
    return ", ".join(chosen) or "as the plan says"


def _amount(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise InvalidRequestError(f"{text!r:.40} is no amount in US dollars") from error


def _to(workspace_id: str) -> Response:
    return RedirectResponse(f"{PREFIX}/workspaces/{workspace_id}", status_code=303)
