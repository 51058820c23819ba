"""What is served, and what it stands in for."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from tramontane.accounts.entities import Role
from tramontane.console.actions import Action
from tramontane.console.engine_state import states
from tramontane.console.parts import Parts
from tramontane.console.rendering import page


def routes(parts: Parts) -> Sequence[Action]:
    """The page."""

    async def show(request: Request) -> Response:
        return page(request, "models.html", {"states": await states(parts.catalog, parts.live.running)})

    return [Action("GET", "/models", show, Role.member)]
