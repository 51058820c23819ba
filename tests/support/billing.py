"""Requests to bill, and the audit that every test of the ledger ends with."""

import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import select

from tramontane.billing.entities import BillableRequest, Endpoint, Outcome, Status
from tramontane.core.principal import Principal
from tramontane.core.usage import Usage
from tramontane.storage.tables import ledger, reservations, spending, usage_daily

ORGANIZATION = "10000000-0000-0000-0000-000000000001"
WORKSPACE = "20000000-0000-0000-0000-000000000001"
OTHER_WORKSPACE = "20000000-0000-0000-0000-000000000002"
KEY = "30000000-0000-0000-0000-000000000001"
NOVEMBER = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())

MODEL = "mistral-large-2411"  # 2.00 in, 6.00 out


def request(**changes):
    values = {
        "request_id": uuid.uuid4().hex,
        "principal": Principal(ORGANIZATION, WORKSPACE, KEY),
        "endpoint": Endpoint.CHAT,
        "stream": True,
        "model_asked": MODEL,
        "model_served": "smollm2-135m-instruct",
        "max_prompt_tokens": 1000,
        "max_completion_tokens": 1000,
        "created": NOVEMBER,
    }
    return BillableRequest(**(values | changes))


def outcome(prompt=1000, completion=500, cached=0, status=Status.OK, **changes):
    return Outcome(status, Usage(prompt, completion, cached), **({"duration": 0.25} | changes))


async def _rows(connection, table):
    return [dict(row) for row in (await connection.execute(select(table))).mappings()]


async def rows(database, table):
    async with database.snapshot() as connection:
        return await _rows(connection, table)


async def audit(database):
    """Compares every total with the sum of the rows, in Python; returns the ledger by request id.

    All of it is one state of the database: what a killed process has sent may be committed a moment later.
    """
    async with database.snapshot() as connection:
        entries = await _rows(connection, ledger)
        days = await _rows(connection, usage_daily)
        held = await _rows(connection, reservations)
        accounts = await _rows(connection, spending)
    by_id = {entry["request_id"]: entry for entry in entries}
    assert len(by_id) == len(entries)
    _compare_days(entries, days)
    _compare_accounts(entries, held, accounts)
    return by_id


def _compare_days(entries, days):
    sums = defaultdict(Counter)
    for entry in entries:
        day = datetime.fromtimestamp(entry["created_at"], UTC).date()
        key = (day, entry["workspace_id"], entry["key_id"], entry["model_asked"], entry["model_served"])
        sums[key].update(
            requests=1,
            errors=int(entry["status"] == "error"),
            cancelled=int(entry["status"] == "cancelled"),
            prompt_tokens=entry["prompt_tokens"],
            cached_tokens=entry["cached_tokens"],
            completion_tokens=entry["completion_tokens"],
            cost=entry["cost"] or Decimal(0),
            unpriced=int(entry["cost"] is None),
            hosted_cost=entry["hosted_cost"] or Decimal(0),
            hosted_unpriced=int(entry["hosted_cost"] is None),
        )
    totals = {}
    for row in days:
        key = tuple(row.pop(n) for n in ("day", "workspace_id", "key_id", "model_asked", "model_served"))
        row.pop("organization_id")
        totals[key] = row
    assert totals == {key: dict(counts) for key, counts in sums.items()}


def _compare_accounts(entries, held, accounts):
    spent, reserved = Counter(), Counter()
    for entry in entries:
        month = datetime.fromtimestamp(entry["created_at"], UTC).date().replace(day=1)
        for scope_id in (entry["workspace_id"], entry["organization_id"]):
            spent[scope_id, month] += entry["cost"] or Decimal(0)
    for reservation in held:
        for scope_id in (reservation["workspace_id"], reservation["organization_id"]):
            reserved[scope_id, reservation["month"]] += reservation["amount"]
    stored = {(row["scope_id"], row["month"]): row for row in accounts}
    for account in stored.keys() | spent.keys() | reserved.keys():
        row = stored.get(account, {"spent": Decimal(0), "reserved": Decimal(0)})
        assert row["spent"] == spent[account], account
        assert row["reserved"] == reserved[account], account
