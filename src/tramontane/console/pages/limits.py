"""What each workspace may do with each model now, and what of it is used: the limiter's own figures, live."""

import asyncio
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
        recent_of = {(one.workspace_id, one.model): one for one in recent}
        ids = {workspace.id for workspace, _ in of_page.items}
        limits = await parts.limits.get_many(ids)
        month = datetime.fromtimestamp(parts.clock.now(), UTC).date().replace(day=1)
        months = await parts.usage.tokens_of_month_of(ids, month)
        found = [
            _Case(
                workspace,
                model,
                limits[workspace.id],
                ended=recent_of.get((workspace.id, model)),
                running=parts.live.running.count(workspace.id, model),
                month_tokens=months.get((workspace.id, model), 0),
            )
            for workspace, model in of_page.items
        ]
        # Side by side: where the limiter is in Redis, each is a way to it and back.
        return of_page.of(await asyncio.gather(*(_row(parts, one) for one in found)))

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
class _Case:
    """One workspace and one model, and what is known of them beside the limiter."""

    workspace: Workspace
    model: str
    own: WorkspaceLimits
    ended: Recent | None
    """What the ledger has of the last minute."""
    running: int
    month_tokens: int
    """In the ledger."""


async def _row(parts: Parts, case: _Case) -> _Row:
    """With the limiter's figures; it counts nothing where nothing is limited: there the ledger must do."""
    limits = case.own.of(case.model)
    used = Used(0, 0, 0)
    if not limits.is_unlimited:
        used = await parts.live.limiter.used(case.workspace.id, case.model)
    ended = case.ended
    requests, tokens = (ended.requests, ended.tokens) if ended else (0, 0)
    return _Row(
        workspace=case.workspace,
        model=case.model,
        limits=limits,
        is_own=bool(case.own.overrides.keys() & {None, case.model}),
        requests=used.requests if limits.requests else requests + case.running,
        running=case.running,
        tokens=used.tokens if limits.charges_tokens else tokens,
        month_tokens=(None if limits.tokens_per_month is None else max(used.month_tokens, case.month_tokens)),
    )
