"""API keys: made, shown once, rotated, revoked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, ApiKey, NewKey
from tramontane.console.forms import form_of
from tramontane.console.gate import Handler
from tramontane.console.paging import paged
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page
from tramontane.errors import ApiError

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


def routes(parts: Parts) -> Sequence[tuple[str, str, Handler]]:
    """The list, and what is done with its keys."""
    actions = _Actions(parts)
    return [
        ("GET", "/keys", actions.show),
        ("POST", "/keys", actions.create),
        ("POST", "/keys/{key_id}/rotate", actions.rotate),
        ("POST", "/keys/{key_id}/revoke", actions.revoke),
    ]


class _Actions:
    """In the name of the administrator, with the keys of the default organization."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._keys = parts.keys

    async def show(self, request: Request) -> Response:
        """The list."""
        return await self._page(request, _Said())

    async def create(self, request: Request) -> Response:
        """A new key, shown in the answer and never again."""
        fields = await form_of(request)
        days = fields.get("expires", "")
        now = int(self._parts.clock.now())
        ends = now + int(days) * _DAY if days in LIFETIMES and days else None
        try:
            made = await self._keys.create_api_key(
                DEFAULT_ORGANIZATION_ID, fields.get("workspace", ""), fields.get("name", ""), ends
            )
        except ApiError as error:
            return await self._page(request, _Said(problem=error.message, fields=fields, status=error.status))
        return await self._page(request, _Said(made=made))

    async def rotate(self, request: Request) -> Response:
        """A new key in the place of one that goes on for a day."""
        try:
            made = await self._keys.rotate(ApiKey, DEFAULT_ORGANIZATION_ID, request.path_params["key_id"])
        except ApiError as error:
            return await self._page(request, _Said(problem=error.message, status=error.status))
        return await self._page(request, _Said(made=made))

    async def revoke(self, request: Request) -> Response:
        """End a key now."""
        try:
            await self._keys.revoke(ApiKey, DEFAULT_ORGANIZATION_ID, request.path_params["key_id"])
        except ApiError as error:
            return await self._page(request, _Said(problem=error.message, status=error.status))
        return RedirectResponse(f"{PREFIX}/keys", status_code=303)

    async def _page(self, request: Request, said: _Said) -> Response:
        workspaces = await self._parts.workspaces.list(DEFAULT_ORGANIZATION_ID)
        chosen = request.query_params.get("workspace", "")
        found = await self._keys.list(ApiKey, DEFAULT_ORGANIZATION_ID, chosen or None)
        values = {
            "keys": paged(request, found[::-1]),
            "names": {workspace.id: workspace.name for workspace in workspaces},
            "workspaces": [workspace for workspace in workspaces if workspace.archived_at is None],
            "chosen": chosen,
            "lifetimes": LIFETIMES,
            "now": self._parts.clock.now(),
            "made": said.made,
            "problem": said.problem,
            "fields": said.fields or {},
        }
        return page(request, "keys.html", values, said.status)
