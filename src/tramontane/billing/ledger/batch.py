"""What one transaction writes, and how rows add up to the totals beside them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from typing import Any

from tramontane.billing.calendar import day_of
from tramontane.billing.entities import Status
from tramontane.billing.ledger.row import LedgerRow
from tramontane.billing.spending.claims import Account, Claim, Spending
from tramontane.core.money import ZERO


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that have ended, requests that want to run, and reservations that are needed no more."""

    rows: Sequence[LedgerRow] = ()
    claims: Sequence[Claim] = ()
    released: Sequence[str] = ()
    """The request ids of reservations that end before the claims are looked at."""


@dataclass(frozen=True, slots=True)
class UsageKey:
    """What the daily totals are kept apart by."""

    day: date
    workspace_id: str
    key_id: str
    model_asked: str
    model_served: str


@dataclass(slots=True)
class UsageSum:
    """A day's totals. What has no price is counted in `unpriced`, and adds nothing to `cost`."""

    organization_id: str
    requests: int = 0
    errors: int = 0
    cancelled: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal = ZERO
    unpriced: int = 0
    hosted_cost: Decimal = ZERO
    hosted_unpriced: int = 0

    def add(self, row: LedgerRow) -> None:
        """Count one request."""
        self.requests += 1
        self.errors += row.status == Status.ERROR
        self.cancelled += row.status == Status.CANCELLED
        self.prompt_tokens += row.prompt_tokens
        self.cached_tokens += row.cached_tokens
        self.completion_tokens += row.completion_tokens
        self.cost += row.cost or ZERO
        self.unpriced += row.cost is None
        self.hosted_cost += row.hosted_cost or ZERO
        self.hosted_unpriced += row.hosted_cost is None


COUNTS: tuple[str, ...] = tuple(part.name for part in fields(UsageSum) if part.name != "organization_id")
"""The columns that add up."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """A reservation that has ended."""

    request_id: str
    workspace_id: str
    organization_id: str
    month: date
    amount: Decimal


@dataclass(slots=True)
class Changes:
    """By how much the totals change. In the order in which every process takes the locks: sorted."""

    usage: dict[UsageKey, UsageSum] = field(default_factory=dict)
    spending: dict[Account, Spending] = field(default_factory=dict)

    def add_rows(self, rows: Iterable[LedgerRow]) -> None:
        """Rows that the ledger did not have before."""
        days: dict[int, date] = {}
        for row in rows:
            day = days.get(row.created_at) or days.setdefault(row.created_at, day_of(row.created_at))
            key = UsageKey(day, row.workspace_id, row.key_id, row.model_asked, row.model_served)
            (self.usage.get(key) or self.usage.setdefault(key, UsageSum(row.organization_id))).add(row)
            if row.cost is not None:
                for scope_id in (row.workspace_id, row.organization_id):
                    self._account((scope_id, day.replace(day=1))).spent += row.cost

    def end_reservations(self, reservations: Iterable[Reserved]) -> None:
        """What is no longer held back."""
        for reserved in reservations:
            for scope_id in (reserved.workspace_id, reserved.organization_id):
                self._account((scope_id, reserved.month)).reserved -= reserved.amount

    def touch(self, claims: Iterable[Claim]) -> None:
        """The accounts that claims will be held back from."""
        for claim in claims:
            for account in claim.accounts:
                self._account(account)

    def usage_parameters(self) -> list[dict[str, Any]]:
        """For `usage_daily`."""
        return [
            _values(key) | _values(total)
            for key, total in sorted(self.usage.items(), key=lambda item: tuple(_values(item[0]).values()))
        ]

    def spending_parameters(self) -> list[dict[str, Any]]:
        """For `spending`."""
        return [
            {"scope_id": scope_id, "month": month, "spent": change.spent, "reserved": change.reserved}
            for (scope_id, month), change in sorted(self.spending.items())
        ]

    def _account(self, account: Account) -> Spending:
        return self.spending.get(account) or self.spending.setdefault(account, Spending(ZERO, ZERO))


def _values(record: UsageKey | UsageSum) -> dict[str, Any]:
    return {part.name: getattr(record, part.name) for part in fields(record)}
