"""The SQL of limits: rows in, entities out. The caller holds the transaction.

A figure is null where the plan's holds and -1 where there is no limit. The model of an override for all
models is the empty text.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.limits.entities import WorkspaceLimits
from tramontane.limits.figures import Figure, Override
from tramontane.storage.tables import limit_overrides, workspaces

_UNLIMITED: Final = -1
_ALL_MODELS: Final = ""


async def get_limits(
    connection: AsyncConnection, workspace_id: str, *, for_update: bool = False
) -> WorkspaceLimits | None:
    """The plan and overrides of the workspace; with `for_update`, others who ask so wait for the commit."""
    query = select(workspaces.c.plan).where(workspaces.c.id == workspace_id)
    plan = await connection.scalar(query.with_for_update() if for_update else query)
    if plan is None:
        return None
    overrides = await _overrides(connection, [workspace_id])
    return WorkspaceLimits(workspace_id, plan, overrides[workspace_id])


async def get_limits_of(
    connection: AsyncConnection, workspace_ids: Collection[str]
) -> dict[str, WorkspaceLimits]:
    """The plans and overrides of these workspaces, as far as there are such."""
    query = select(workspaces.c.id, workspaces.c.plan).where(workspaces.c.id.in_(workspace_ids))
    plans = {row[0]: row[1] for row in await connection.execute(query)}
    overrides = await _overrides(connection, workspace_ids)
    return {one: WorkspaceLimits(one, plan, overrides[one]) for one, plan in plans.items()}


async def _overrides(
    connection: AsyncConnection, workspace_ids: Collection[str]
) -> dict[str, dict[str | None, Override]]:
    rows = await connection.execute(
        select(limit_overrides)
        .where(limit_overrides.c.workspace_id.in_(workspace_ids))
        .order_by(limit_overrides.c.model)
    )
    found: dict[str, dict[str | None, Override]] = {one: {} for one in workspace_ids}
    for row in rows.mappings():
        found[row["workspace_id"]][row["model"] or None] = Override(
            requests_per_minute=_figure(row["requests_per_minute"]),
            burst=row["burst"],
            tokens_per_minute=_figure(row["tokens_per_minute"]),
            tokens_per_month=_figure(row["tokens_per_month"]),
        )
    return found


async def set_override(
    connection: AsyncConnection, workspace_id: str, model: str | None, override: Override
) -> None:
    """Put `override` in the place of the one that is there; an empty one leaves none."""
    name = model or _ALL_MODELS
    await connection.execute(
        delete(limit_overrides).where(
            limit_overrides.c.workspace_id == workspace_id, limit_overrides.c.model == name
        )
    )
    if override.is_empty:
        return
    await connection.execute(
        insert(limit_overrides).values(
            workspace_id=workspace_id,
            model=name,
            requests_per_minute=_column(override.requests_per_minute),
            burst=override.burst,
            tokens_per_minute=_column(override.tokens_per_minute),
            tokens_per_month=_column(override.tokens_per_month),
        )
    )


def _figure(column: int | None) -> Figure | None:
    return "unlimited" if column == _UNLIMITED else column


def _column(figure: Figure | None) -> int | None:
    return _UNLIMITED if figure == "unlimited" else figure
