"""What each workspace may do with each model now, and what of it is used: the limiter's own figures, live."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tramontane.accounts.entities import Role, Workspace
from tramontane.console import repository
from tramontane.console.actions import Action
from tramontane.console.paging import Page, numbered
from tramontane.console.parts import Parts
from tramontane.console.rendering import page
from tramontane.console.repository import Recent
from tramontane.console.sight import workspaces_of
from tramontane.limits.entities import WorkspaceLimits
from tramontane.limits.figures import Limits
from tramontane.limits.store import Used

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
    """Of the last minute, those that still run among them."""
    running: int
    """In this process, those that wait for a slot among them."""
    tokens: int
    """Of the last minute, as far as they are charged: those of a request when it ends."""
    month_tokens: int | None
    """None without a limit of them."""


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
            counted = _Counted(used.get((workspace.id, model)), parts.live.running.count(workspace.id, model))
            found.append(await _row(parts, workspace, model, limits, counted))
        return of_page.of(found)

    async def show(request: Request) -> Response:
        values = {
            "rows": await rows(request),
            "number": request.query_params.get("page", "1"),
            "shared": parts.settings.redis_url is not None,
        }
        return page(request, "limits.html", values)

    async def live(request: Request) -> Response:
        return page(request, "limits_live.html", {"rows": await rows(request)})

    return [
        Action("GET", "/limits", show, Role.member),
        Action("GET", "/limits/live", live, Role.member),
    ]


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is known beside the limiter, which counts nothing where nothing is limited."""

    ended: Recent | None
    running: int


async def _row(
    parts: Parts, workspace: Workspace, model: str, own: WorkspaceLimits, counted: _Counted
) -> _Row:
    limits = own.of(model)
    used = Used(0, 0, 0)
    if not limits.is_unlimited:
        used = await parts.live.limiter.used(workspace.id, model)
    month_tokens = None
    if limits.tokens_per_month is not None:
        month = datetime.fromtimestamp(parts.clock.now(), UTC).date().replace(day=1)
        in_ledger = await parts.usage.tokens_of_month(workspace.id, model, month)
        month_tokens = max(used.month_tokens, in_ledger)
    ended = counted.ended
    return _Row(
        workspace=workspace,
        model=model,
        limits=limits,
        is_own=bool(own.overrides.keys() & {None, model}),
        requests=used.requests if limits.requests else (ended.requests if ended else 0) + counted.running,
        running=counted.running,
        tokens=used.tokens if limits.charges_tokens else ended.tokens if ended else 0,
        month_tokens=month_tokens,
    )
