"""The SQL of the ledger. The caller holds the transaction, which is one piece of work: nothing is awaited.

All transactions take their locks in the same order (rows, reservations, spending, usage, each sorted), so
that processes wait for one another and never in a circle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, Executable, bindparam, delete, select, update
from sqlalchemy import insert as plain_insert

from tramontane.billing.ledger.batch import COUNTS, Batch, Changes, Reserved
from tramontane.billing.ledger.row import LedgerRow
from tramontane.billing.spending.claims import (
    Account,
    Claim,
    Refusal,
    Scope,
    Spending,
    SpendingLimit,
    decide,
)
from tramontane.storage.driver_statement import DriverStatement
from tramontane.storage.tables import ledger, reservations, spending, spending_limits, usage_daily
from tramontane.storage.upsert import insert

_COLUMNS: Final = tuple(column.name for column in ledger.columns)
_values_of: Final = attrgetter(*_COLUMNS)
_RESERVED: Final = (
    reservations.c.request_id,
    reservations.c.workspace_id,
    reservations.c.organization_id,
    reservations.c.month,
    reservations.c.amount,
)


@dataclass(frozen=True, slots=True)
class _Statements:
    """Built once: building costs more than running them."""

    add_rows: DriverStatement
    add_usage: DriverStatement
    add_spending: DriverStatement
    end_reservations: Executable
    end_reservations_of: Executable
    limits: Executable
    hold_back: Executable
    add_reservations: Executable


@cache
def _statements(dialect: str) -> _Statements:
    rows, usage, accounts = insert(ledger, dialect), insert(usage_daily, dialect), insert(spending, dialect)
    return _Statements(
        add_rows=DriverStatement(
            rows.on_conflict_do_nothing(index_elements=[ledger.c.request_id]), [ledger.c.request_id]
        ),
        add_usage=DriverStatement(
            usage.on_conflict_do_update(
                index_elements=list(usage_daily.primary_key),
                set_={name: usage_daily.c[name] + usage.excluded[name] for name in COUNTS},
            )
        ),
        add_spending=DriverStatement(
            accounts.on_conflict_do_update(
                index_elements=list(spending.primary_key),
                set_={name: spending.c[name] + accounts.excluded[name] for name in ("spent", "reserved")},
            ),
            list(spending.columns),
        ),
        end_reservations=delete(reservations)
        .where(reservations.c.request_id.in_(bindparam("ids", expanding=True)))
        .returning(*_RESERVED),
        end_reservations_of=delete(reservations)
        .where(reservations.c.holder_id == bindparam("holder"))
        .returning(*_RESERVED),
        limits=select(spending_limits).where(
            spending_limits.c.scope_id.in_(bindparam("ids", expanding=True))
        ),
        hold_back=update(spending)
        .where(spending.c.scope_id == bindparam("of"), spending.c.month == bindparam("in_month"))
        .values(reserved=bindparam("now_reserved")),
        add_reservations=plain_insert(reservations),
    )


def write(connection: Connection, batch: Batch) -> dict[str, Refusal]:
    """Write the whole batch: rows and the totals beside them, ended reservations, then new ones.

    A row that is there already is left as it is and counted no second time.

    Returns:
        The claims that a spending limit forbids, by request id. The others are held back now.
    """
    statements = _statements(connection.dialect.name)
    changes = Changes()
    changes.add_rows(_add_rows(connection, statements, batch.rows))
    changes.end_reservations(_end_reservations(connection, statements, batch.released))
    changes.touch(batch.claims)
    accounts = _add_spending(connection, statements, changes)
    if changes.usage:
        statements.add_usage.execute(connection, changes.usage_parameters())
    return _reserve(connection, statements, batch.claims, accounts) if batch.claims else {}


def end_reservations_of(connection: Connection, holder_id: str) -> int:
    """End all reservations of a process that is no more; says how many there were."""
    statements = _statements(connection.dialect.name)
    result = connection.execute(statements.end_reservations_of, {"holder": holder_id})
    ended = [Reserved(**row) for row in result.mappings()]
    changes = Changes()
    changes.end_reservations(ended)
    _add_spending(connection, statements, changes)
    return len(ended)


def _add_rows(connection: Connection, statements: _Statements, rows: Sequence[LedgerRow]) -> list[LedgerRow]:
    """Adds what is not there yet, and returns it."""
    if not rows:
        return []
    by_id = {row.request_id: row for row in rows}
    parameters = [
        dict(zip(_COLUMNS, _values_of(by_id[request_id]), strict=True)) for request_id in sorted(by_id)
    ]
    added = statements.add_rows.execute(connection, parameters)
    return [by_id[request_id] for (request_id,) in added]


def _end_reservations(
    connection: Connection, statements: _Statements, request_ids: Sequence[str]
) -> list[Reserved]:
    if not request_ids:
        return []
    result = connection.execute(statements.end_reservations, {"ids": sorted(request_ids)})
    return [Reserved(**row) for row in result.mappings()]


def _add_spending(
    connection: Connection, statements: _Statements, changes: Changes
) -> dict[Account, Spending]:
    """Add to the accounts; they are locked from here on, and returned as they stand."""
    if not changes.spending:
        return {}
    result = statements.add_spending.execute(connection, changes.spending_parameters())
    return {(scope_id, month): Spending(spent, reserved) for scope_id, month, spent, reserved in result}


def _reserve(
    connection: Connection,
    statements: _Statements,
    claims: Sequence[Claim],
    accounts: dict[Account, Spending],
) -> dict[str, Refusal]:
    limits = _limits(connection, statements, accounts)
    refused: dict[str, Refusal] = {}
    granted: list[Claim] = []
    for claim in claims:
        refusal = decide(claim, limits, accounts)
        if refusal is None:
            granted.append(claim)
        else:
            refused[claim.request_id] = refusal
    if granted:
        held = sorted({account for claim in granted for account in claim.accounts})
        connection.execute(
            statements.hold_back,
            [
                {"of": scope_id, "in_month": month, "now_reserved": accounts[scope_id, month].reserved}
                for scope_id, month in held
            ],
        )
        connection.execute(statements.add_reservations, [_reservation(claim) for claim in granted])
    return refused


def _limits(
    connection: Connection, statements: _Statements, accounts: Mapping[Account, Spending]
) -> dict[str, SpendingLimit]:
    ids = sorted({scope_id for scope_id, _ in accounts})
    result = connection.execute(statements.limits, {"ids": ids})
    return {
        row["scope_id"]: SpendingLimit(Scope(row["scope"]), row["scope_id"], row["amount"])
        for row in result.mappings()
    }


def _reservation(claim: Claim) -> dict[str, Any]:
    return {column.name: getattr(claim, column.name) for column in reservations.columns}
