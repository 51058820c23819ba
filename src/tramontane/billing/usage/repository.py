"""The SQL of reports. The caller holds the transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, Table, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.billing.calendar import bounds_of, day_of, days_between, last_day
from tramontane.billing.entities import Status
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
_MOST_DAYS: Final = 400
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
        _is_day(month, last_day(month)),
    )
    return int(await connection.scalar(statement) or 0)


async def tokens_of_month_of(
    connection: AsyncConnection, workspace_ids: Collection[str], month: date
) -> dict[tuple[str, str], int]:
    """The same, of each of these workspaces and each model that has answered it."""
    total = usage_daily.c.prompt_tokens - usage_daily.c.cached_tokens + usage_daily.c.completion_tokens
    of = usage_daily.c.workspace_id, usage_daily.c.model_served
    statement = (
        select(*of, func.sum(total))
        .where(of[0].in_(workspace_ids), _is_day(month, last_day(month)))
        .group_by(*of)
    )
    return {(row[0], row[1]): int(row[2]) for row in await connection.execute(statement)}


def _is_day(since: date, until: date) -> ColumnElement[bool]:
    """Day by day, if they are few: then the index leads from each to the workspace, past all others."""
    if (until - since).days > _MOST_DAYS:
        return usage_daily.c.day.between(since, until)
    return usage_daily.c.day.in_(days_between(since, until))


async def list_requests(connection: AsyncConnection, query: RequestQuery) -> RequestPage:
    """A page of the ledger, newest first."""
    rows: list[LedgerRow] = []
    for statement in await _statements(connection, query):
        found = (await connection.execute(statement.limit(query.limit + 1 - len(rows)))).mappings()
        rows += [LedgerRow(**row) for row in found]
        if len(rows) > query.limit:
            break
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
    yield _is_day(query.since, query.until)
    for column, value in (
        (usage_daily.c.organization_id, query.organization_id),
        (usage_daily.c.workspace_id, query.workspace_id),
        (usage_daily.c.key_id, query.key_id),
        (usage_daily.c.model_asked, query.model),
    ):
        if value is not None:
            yield column == value


async def _statements(connection: AsyncConnection, query: RequestQuery) -> Sequence[Select[Any]]:
    """What finds the requests, one after another.

    No index of the ledger knows keys, models and states, and a million rows may lie between two that fit. The
    daily totals know on which days there are any, so that no other day is searched.
    """
    statement = _requests(query)
    if query.key_id is None and query.model is None and query.status is None:
        return [statement]
    # Each of these days has a request of the page, but for the one that the page before has ended in.
    days = (
        select(usage_daily.c.day)
        .distinct()
        .where(*_days_of(query))
        .order_by(usage_daily.c.day.desc())
        .limit(query.limit + 2)
    )
    return [
        statement.where(ledger.c.created_at >= begin, ledger.c.created_at < end)
        for begin, end in map(bounds_of, await connection.scalars(days))
    ]


def _days_of(query: RequestQuery) -> Iterable[ColumnElement[bool]]:
    totals = usage_daily.c
    for column, value in (
        (totals.organization_id, query.organization_id),
        (totals.workspace_id, query.workspace_id),
        (totals.key_id, query.key_id),
    ):
        if value is not None:
            yield column == value
    if query.model is not None:
        yield or_(totals.model_asked == query.model, totals.model_served == query.model)
    match query.status:
        case Status.ERROR:
            yield totals.errors > 0
        case Status.CANCELLED:
            yield totals.cancelled > 0
        case Status.OK:
            yield totals.requests > totals.errors + totals.cancelled
    if query.before is not None:
        yield totals.day <= day_of(query.before[0])


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
