"""What was used and what it cost, a month at a time."""

import calendar
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, Role, Workspace
from tramontane.billing.spending.claims import Scope
from tramontane.billing.spending.service import SpendingStatus
from tramontane.billing.usage.export import as_csv
from tramontane.billing.usage.report import By, UsageLine, UsageQuery, UsageReport
from tramontane.console.actions import Action
from tramontane.console.paging import numbered
from tramontane.console.parts import Parts
from tramontane.console.rendering import page
from tramontane.console.sight import names_of_keyless, workspaces_of
from tramontane.console.viewer import viewer_of

BY: Final = {
    By.DAY: "Day",
    By.MODEL: "Model asked for",
    By.SERVED: "Model that answered",
    By.KEY: "Key",
    By.WORKSPACE: "Workspace",
}


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the page is asked to show."""

    month: date
    """Its first day."""
    by: By
    workspace: Workspace | None

    @property
    def days(self) -> int:
        return calendar.monthrange(self.month.year, self.month.month)[1]

    def query(self, by: By) -> UsageQuery:
        return UsageQuery(
            since=self.month,
            until=self.month.replace(day=self.days),
            by=by,
            organization_id=DEFAULT_ORGANIZATION_ID,
            workspace_id=self.workspace.id if self.workspace else None,
        )


def routes(parts: Parts) -> Sequence[Action]:
    """The page, and its table as a file."""

    async def show(request: Request) -> Response:
        workspaces = await workspaces_of(request, parts)
        choice = _choice(request, parts, workspaces)
        days = await parts.usage.report(choice.query(By.DAY))
        lines = days if choice.by == By.DAY else await parts.usage.report(choice.query(choice.by))
        status = await _spending(parts, choice)
        today = _today(parts)
        values = {
            "choice": choice,
            "by": BY,
            "workspaces": workspaces,
            "lines": numbered(request, lines.lines),
            "names": await names_of_keyless(request, parts),
            "total": days.total,
            "status": status,
            "months": _months(today),
            "chart": json.dumps(_chart(choice, days, status, today)),
            "csv": str(request.url.replace(path=f"{request.url.path}.csv")),
        }
        return page(request, "usage.html", values)

    async def export(request: Request) -> Response:
        workspaces = await workspaces_of(request, parts)
        choice = _choice(request, parts, workspaces)
        text = as_csv(await parts.usage.report(choice.query(choice.by)))
        name = f"usage-{choice.month:%Y-%m}-by-{choice.by}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(text, media_type="text/csv", headers=headers)

    return [Action("GET", "/usage", show, Role.member), Action("GET", "/usage.csv", export, Role.member)]


def _choice(request: Request, parts: Parts, workspaces: Sequence[Workspace]) -> _Choice:
    """What cannot be understood is left at what it is at first."""
    asked = request.query_params
    try:
        month = date.fromisoformat(f"{asked.get('month', '')}-01")
    except ValueError:
        month = _today(parts).replace(day=1)
    by = By(asked["by"]) if asked.get("by") in set(BY) else By.DAY
    chosen = [workspace for workspace in workspaces if workspace.id == asked.get("workspace")]
    if not chosen and not viewer_of(request).is_admin:
        chosen = [workspaces[0]]  # the sum over all workspaces is for administrators
    return _Choice(month, by, chosen[0] if chosen else None)


def _today(parts: Parts) -> date:
    return datetime.fromtimestamp(parts.clock.now(), UTC).date()


def _months(today: date) -> list[date]:
    """This one and the eleven before it."""
    months = [today.replace(day=1)]
    while len(months) < 12:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months


async def _spending(parts: Parts, choice: _Choice) -> SpendingStatus | None:
    """Of the month that runs; limits of months that are over are not kept."""
    if choice.month != _today(parts).replace(day=1):
        return None
    if choice.workspace is None:
        return await parts.spending.status(Scope.ORGANIZATION, DEFAULT_ORGANIZATION_ID)
    return await parts.spending.status(Scope.WORKSPACE, choice.workspace.id)


def _chart(
    choice: _Choice, report: UsageReport, status: SpendingStatus | None, today: date
) -> dict[str, Any]:
    """A column for each day of the month. Figures of a drawing may be floats."""
    lines = {line.of: line for line in report.lines}
    days = [
        lines.get(choice.month.replace(day=number).isoformat(), UsageLine(""))
        for number in range(1, choice.days + 1)
    ]
    return {
        "month": f"{choice.month:%B %Y}",
        "days": list(range(1, choice.days + 1)),
        "cost": [float(day.cost) for day in days],
        "hosted": [float(day.hosted_cost) for day in days],
        "input": [day.prompt_tokens for day in days],
        "output": [day.completion_tokens for day in days],
        "past": (today - choice.month).days + 1,
        "limit": None if status is None or status.limit is None else float(status.limit),
    }
