"""The log of changes: who did what in the console."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from tramontane.console.actions import Action
from tramontane.console.paging import asked_part, page_of
from tramontane.console.parts import Parts
from tramontane.console.rendering import page
from tramontane.console.viewer import viewer_of


def routes(parts: Parts) -> Sequence[Action]:
    """The page."""

    async def show(request: Request) -> Response:
        part = asked_part(request, newest_first=True)
        found = await parts.audit.page(viewer_of(request).organization_id, part)
        return page(request, "changes.html", {"changes": page_of(request, found)})

    return [Action("GET", "/changes", show)]
