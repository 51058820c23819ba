"""The requests that were answered, newest first. What was written in them is not kept anywhere."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, ApiKey
from tramontane.accounts.names import as_id
from tramontane.billing.entities import Status
from tramontane.billing.usage.requests import Place, RequestQuery
from tramontane.console.gate import Handler
from tramontane.console.pages.usage import NAMELESS_KEYS
from tramontane.console.paging import PAGE_SIZE
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page

_FILTERS: Final = ("workspace", "model", "status")
_LATEST: Final = 2**62
"""After every time that a request can have."""


def routes(parts: Parts) -> Sequence[tuple[str, str, Handler]]:
    """The list."""

    async def show(request: Request) -> Response:
        asked = request.query_params
        found = await parts.usage.requests(_query(asked))
        workspaces = await parts.workspaces.list(DEFAULT_ORGANIZATION_ID)
        keys = await parts.keys.list(ApiKey, DEFAULT_ORGANIZATION_ID)
        filters = {name: asked.get(name, "") for name in _FILTERS}
        values = {
            "requests": found.requests,
            "filters": filters,
            "statuses": [status.value for status in Status],
            "workspaces": {workspace.id: workspace.name for workspace in workspaces},
            "keys": NAMELESS_KEYS | {key.id: key.name for key in keys},
            "older": _older(filters, found.next_before),
            "newest": f"{PREFIX}/requests?{urlencode(filters)}" if "before" in asked else None,
        }
        return page(request, "requests.html", values)

    return [("GET", "/requests", show)]


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
