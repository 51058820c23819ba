"""The requests that were answered, newest first, and each of them with its text if that is kept."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, Role
from tramontane.accounts.names import as_id
from tramontane.billing.entities import Status
from tramontane.billing.usage.requests import Place, RequestQuery
from tramontane.console.actions import Action
from tramontane.console.paging import PAGE_SIZE
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page
from tramontane.console.sight import names_of_keyless, workspaces_of
from tramontane.console.viewer import viewer_of
from tramontane.errors import NotFoundError

_FILTERS: Final = ("workspace", "model", "status")
_SHOWN: Final = ("messages", "prompt", "suffix", "input")
"""Fields of a request that are shown one by one."""
_LATEST: Final = 2**62
"""After every time that a request can have."""


def routes(parts: Parts) -> Sequence[Action]:
    """The list, and a page for each."""

    async def show(request: Request) -> Response:
        asked = request.query_params
        workspaces = await workspaces_of(request, parts)
        query = _query(asked)
        if not viewer_of(request).is_admin and query.workspace_id not in {one.id for one in workspaces}:
            query = replace(query, workspace_id=workspaces[0].id)
        found = await parts.usage.requests(query)
        keys = await parts.keys.names({one.key_id for one in found.requests})
        filters = {name: asked.get(name, "") for name in _FILTERS} | {"workspace": query.workspace_id or ""}
        values = {
            "requests": found.requests,
            "filters": filters,
            "statuses": [status.value for status in Status],
            "workspaces": {workspace.id: workspace.name for workspace in workspaces},
            "keys": {**await names_of_keyless(request, parts), **keys},
            "older": _older(filters, found.next_before),
            "newest": f"{PREFIX}/requests?{urlencode(filters)}" if "before" in asked else None,
            "settings": parts.settings,
        }
        return page(request, "requests.html", values)

    async def show_one(request: Request) -> Response:
        request_id = request.path_params["request_id"]
        found = await parts.usage.request(DEFAULT_ORGANIZATION_ID, request_id)
        if found is None or not viewer_of(request).sees(found.workspace_id):
            raise NotFoundError("There is no such request: it may not have ended yet, or was refused.")
        workspaces = await workspaces_of(request, parts)
        keys = await parts.keys.names([found.key_id])
        transcript = None
        if viewer_of(request).is_admin:
            transcript = await parts.transcripts.find(DEFAULT_ORGANIZATION_ID, request_id)
        said = transcript.request if transcript else {}
        values = {
            "request": found,
            "workspace": {one.id: one.name for one in workspaces}.get(found.workspace_id, found.workspace_id),
            "key": {**await names_of_keyless(request, parts), **keys}.get(found.key_id, found.key_id),
            "metadata": json.loads(found.metadata) if found.metadata else None,
            "transcript": transcript,
            "others": {name: value for name, value in said.items() if name not in _SHOWN},
            "settings": parts.settings,
        }
        return page(request, "request.html", values)

    async def forget(request: Request) -> Response:
        request_id = request.path_params["request_id"]
        await parts.transcripts.get(DEFAULT_ORGANIZATION_ID, request_id)
        await parts.transcripts.remove(request_id=request_id)
        return RedirectResponse(f"{PREFIX}/requests/{request_id}", status_code=303)

    return [
        Action("GET", "/requests", show, Role.member),
        Action("GET", "/requests/{request_id}", show_one, Role.member),
        Action("POST", "/requests/{request_id}/forget", forget, words="deleted the text of the request"),
    ]


def _query(asked: QueryParams) -> RequestQuery:
    """What cannot be understood filters nothing."""
    status = asked.get("status")
    return RequestQuery(
        organization_id=DEFAULT_ORGANIZATION_ID,
        workspace_id=as_id(asked.get("workspace", "")),
        model=asked.get("model", "").strip().replace("\0", "") or None,
        status=status if status in set(Status) else None,
        before=_place(asked.get("before", "")),
        limit=PAGE_SIZE,
    )


def _place(text: str) -> Place | None:
    created_at, _, request_id = text.partition("-")
    if not (created_at.isascii() and created_at.isdigit() and request_id.isalnum() and request_id.isascii()):
        return None
    return min(int(created_at[:20]), _LATEST), request_id


def _older(filters: dict[str, str], place: Place | None) -> str | None:
    if place is None:
        return None
    return f"{PREFIX}/requests?{urlencode(filters | {'before': f'{place[0]}-{place[1]}'})}"
