"""What each workspace may do with each model now, and what of it was used within the last minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tramontane.accounts.entities import Role, Workspace
from tramontane.console import repository
from tramontane.console.actions import Action
from tramontane.console.paging import Page, numbered
from tramontane.console.parts import Parts
from tramontane.console.rendering import page
from tramontane.console.sight import workspaces_of
from tramontane.limits.figures import Limits

MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class _Row:
    """One workspace and one model."""

    workspace: Workspace
    model: str
    limits: Limits
    is_own: bool
    """Whether the workspace has figures in the place of its plan's."""
    requests: int
    tokens: int


def routes(parts: Parts) -> Sequence[Action]:
    """The page, and the part of it that changes."""

    async def rows(request: Request) -> Page[_Row]:
        workspaces = await workspaces_of(request, parts)
        pairs = [
            (workspace, model.profile.id)
            for workspace in workspaces
            if workspace.archived_at is None
            for model in parts.catalog
        ]
        of_page = numbered(request, pairs)
        async with parts.database.snapshot() as connection:
            recent = await repository.recent_use(connection, int(parts.clock.now()) - MINUTE)
        used = {(one.workspace_id, one.model): one for one in recent}
        found = []
        known = {workspace.id: await parts.limits.get(workspace.id) for workspace, _ in of_page.items}
        for workspace, model in of_page.items:
            limits = known[workspace.id]
            one = used.get((workspace.id, model))
            found.append(
                _Row(
                    workspace=workspace,
                    model=model,
                    limits=limits.of(model),
                    is_own=bool(limits.overrides.keys() & {None, model}),
                    requests=one.requests if one else 0,
                    tokens=one.tokens if one else 0,
                )
            )
        return of_page.of(found)

    async def show(request: Request) -> Response:
        values = {"rows": await rows(request), "number": request.query_params.get("page", "1")}
        return page(request, "limits.html", values)

    async def live(request: Request) -> Response:
        return page(request, "limits_live.html", {"rows": await rows(request)})

    return [
        Action("GET", "/limits", show, Role.member),
        Action("GET", "/limits/live", live, Role.member),
    ]
