"""API keys of workspaces: made, shown once, rotated, revoked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import ApiKey, NewKey, Role
from tramontane.console.actions import Action
from tramontane.console.audit import name_subject
from tramontane.console.forms import form_of
from tramontane.console.paging import asked_part, page_of
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page
from tramontane.console.sight import workspace_of, workspaces_of
from tramontane.console.viewer import viewer_of
from tramontane.errors import ApiError, NotFoundError

_DAY: Final = 24 * 3600
LIFETIMES: Final = {"": "never", "7": "in 7 days", "30": "in 30 days", "90": "in 90 days", "365": "in a year"}
"""Days until a key ends, by what a form says."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What the page says above its list."""

    made: NewKey[ApiKey] | None = None
    problem: str = ""
    fields: Mapping[str, str] | None = None
    status: int = 200


def routes(parts: Parts) -> Sequence[Action]:
    """The list, and what is done with its keys."""
    actions = _Actions(parts)
    return [
        Action("GET", "/keys", actions.show, Role.member),
        Action("POST", "/keys", actions.create, Role.member, "made the key"),
        Action("POST", "/keys/{key_id}/rotate", actions.rotate, Role.member, "rotated the key"),
        Action("POST", "/keys/{key_id}/revoke", actions.revoke, Role.member, "revoked the key"),
    ]


def expiry_of(fields: Mapping[str, str], now: float) -> int | None:
    """When the key ends that a form asks for."""
    days = fields.get("expires", "")
    return int(now) + int(days) * _DAY if days in LIFETIMES and days else None


class _Actions:
    """In the name of the viewer, with the keys of their workspaces."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._keys = parts.keys

    async def show(self, request: Request) -> Response:
        """The list."""
        return await self._page(request, _Said())

    async def create(self, request: Request) -> Response:
        """A new key, shown in the answer and never again."""
        fields = await form_of(request)
        try:
            workspace = await workspace_of(request, self._parts, fields.get("workspace", ""))
            made = await self._keys.create_api_key(
                workspace.organization_id,
                workspace.id,
                fields.get("name", ""),
                expiry_of(fields, self._parts.clock.now()),
            )
        except ApiError as error:
            return await self._page(request, _Said(problem=error.message, fields=fields, status=error.status))
        name_subject(request, f"{made.record.name} ({made.record.hint}) of {workspace.name}")
        return await self._page(request, _Said(made=made))

    async def rotate(self, request: Request) -> Response:
        """A new key in the place of one that goes on for a day."""
        try:
            old = await self._seen(request)
            made = await self._keys.rotate(ApiKey, viewer_of(request).organization_id, old.id)
        except ApiError as error:
            return await self._page(request, _Said(problem=error.message, status=error.status))
        return await self._page(request, _Said(made=made))

    async def revoke(self, request: Request) -> Response:
        """End a key now."""
        try:
            key = await self._seen(request)
            await self._keys.revoke(ApiKey, viewer_of(request).organization_id, key.id)
        except ApiError as error:
            return await self._page(request, _Said(problem=error.message, status=error.status))
        return RedirectResponse(f"{PREFIX}/keys", status_code=303)

    async def _seen(self, request: Request) -> ApiKey:
        """The key of the path, if it is one of the viewer's workspaces."""
        viewer, key_id = viewer_of(request), request.path_params["key_id"]
        key = await self._keys.get(ApiKey, viewer.organization_id, key_id)
        if not viewer.sees(key.workspace_id):
            raise NotFoundError(f"There is no API key {key_id!r}")
        name_subject(request, f"{key.name} ({key.hint})")
        return key

    async def _page(self, request: Request, said: _Said) -> Response:
        workspaces = await workspaces_of(request, self._parts)
        names = {workspace.id: workspace.name for workspace in workspaces}
        viewer = viewer_of(request)
        chosen = request.query_params.get("workspace", "")
        chosen = chosen if chosen in names else ""
        of = [chosen] if chosen else None if viewer.is_admin else list(names)
        part = asked_part(request, newest_first=True)
        values = {
            "keys": page_of(request, await self._keys.page(ApiKey, viewer.organization_id, part, of)),
            "names": names,
            "workspaces": [workspace for workspace in workspaces if workspace.archived_at is None],
            "chosen": chosen,
            "lifetimes": LIFETIMES,
            "now": self._parts.clock.now(),
            "made": said.made,
            "problem": said.problem,
            "fields": said.fields or {},
        }
        return page(request, "keys.html", values, said.status)
