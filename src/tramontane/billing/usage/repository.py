"""The SQL of reports. The caller holds the transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, Table, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.billing.calendar import last_day
from tramontane.billing.ledger.batch import COUNTS
from tramontane.billing.ledger.row import LedgerRow
from tramontane.billing.usage.report import By, UsageLine, UsageQuery, by_month
from tramontane.billing.usage.requests import RequestPage, RequestQuery
from tramontane.storage.tables import api_keys, ledger, usage_daily, workspaces

_SUMS: Final = [func.sum(usage_daily.c[name], type_=usage_daily.c[name].type).label(name) for name in COUNTS]
_GROUPS: Final[Mapping[By, Column[Any]]] = {
    By.DAY: usage_daily.c.day,
    By.MONTH: usage_daily.c.day,
    By.MODEL: usage_daily.c.model_asked,
    By.SERVED: usage_daily.c.model_served,
    By.KEY: usage_daily.c.key_id,
    By.WORKSPACE: usage_daily.c.workspace_id,
}
_NAMED: Final[Mapping[By, Table]] = {By.KEY: api_keys, By.WORKSPACE: workspaces}


async def usage(connection: AsyncConnection, query: UsageQuery) -> list[UsageLine]:
    """The totals of the days that the query names."""
    group = _GROUPS[query.by]
    statement = select(group.label("of"), *_SUMS).where(*_conditions(query)).group_by(group).order_by(group)
    rows = (await connection.execute(statement)).mappings()
    lines = [_line(str(row["of"]), row) for row in rows]
    if query.by == By.DAY:
        return lines
    if query.by == By.MONTH:
        return by_month(lines)
    if (table := _NAMED.get(query.by)) is not None:
        names = await _names(connection, table, [line.of for line in lines])
        for line in lines:
            line.name = names.get(line.of)
    return sorted(lines, key=lambda line: (-line.cost, -line.requests, line.of))


async def usage_by_day_and_model(
    connection: AsyncConnection, query: UsageQuery
) -> list[tuple[date, str, str, UsageLine]]:
    """The totals of each day, model asked and model that answered."""
    groups = (usage_daily.c.day, usage_daily.c.model_asked, usage_daily.c.model_served)
    statement = select(*groups, *_SUMS).where(*_conditions(query)).group_by(*groups).order_by(*groups)
    rows = (await connection.execute(statement)).mappings()
    return [
        (row["day"], row["model_asked"], row["model_served"], _line(row["model_asked"], row)) for row in rows
    ]


async def tokens_of_month(
    connection: AsyncConnection, workspace_id: str, model_served: str, month: date
) -> int:
    """The tokens that count against limits, used but not cached, in the month that begins at `month`."""
    total = usage_daily.c.prompt_tokens - usage_daily.c.cached_tokens + usage_daily.c.completion_tokens
    statement = select(func.sum(total)).where(
        usage_daily.c.workspace_id == workspace_id,
        usage_daily.c.model_served == model_served,
        usage_daily.c.day.between(month, last_day(month)),
    )
    return int(await connection.scalar(statement) or 0)


async def list_requests(connection: AsyncConnection, query: RequestQuery) -> RequestPage:
    """A page of the ledger, newest first."""
    statement = _requests(query).limit(query.limit + 1)
    rows = [LedgerRow(**row) for row in (await connection.execute(statement)).mappings()]
    page = rows[: query.limit]
    is_last = len(rows) <= query.limit
    return RequestPage(page, None if is_last or not page else (page[-1].created_at, page[-1].request_id))


async def get_request(connection: AsyncConnection, organization_id: str, request_id: str) -> LedgerRow | None:
    """One request of the organization."""
    statement = select(ledger).where(
        ledger.c.request_id == request_id, ledger.c.organization_id == organization_id
    )
    row = (await connection.execute(statement)).mappings().first()
    return None if row is None else LedgerRow(**row)


def _conditions(query: UsageQuery) -> Iterable[ColumnElement[bool]]:
    yield usage_daily.c.day.between(query.since, query.until)
    for column, value in (
        (usage_daily.c.organization_id, query.organization_id),
        (usage_daily.c.workspace_id, query.workspace_id),
        (usage_daily.c.key_id, query.key_id),
        (usage_daily.c.model_asked, query.model),
    ):
        if value is not None:
            yield column == value


def _requests(query: RequestQuery) -> Select[Any]:
    place = ledger.c.created_at, ledger.c.request_id
    statement = select(ledger).order_by(*(column.desc() for column in place))
    for column, value in (
        (ledger.c.organization_id, query.organization_id),
        (ledger.c.workspace_id, query.workspace_id),
        (ledger.c.key_id, query.key_id),
        (ledger.c.status, query.status),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if query.model is not None:
        statement = statement.where(
            or_(ledger.c.model_asked == query.model, ledger.c.model_served == query.model)
        )
    if query.before is not None:
        statement = statement.where(tuple_(*place) < tuple_(*query.before))
    return statement


async def _names(connection: AsyncConnection, table: Table, ids: Sequence[str]) -> dict[str, str]:
    statement = select(table.c.id, table.c.name).where(table.c.id.in_(ids))
    return {row["id"]: row["name"] for row in (await connection.execute(statement)).mappings()}


def _line(of: str, row: Mapping[Any, Any]) -> UsageLine:
    # PostgreSQL sums BIGINT up to NUMERIC, which arrives as a Decimal
    counts: dict[str, Any] = {name: row[name] if name.endswith("cost") else int(row[name]) for name in COUNTS}
    return UsageLine(of, **counts)
