"""Who may reserve how much: pure rules."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

Account = tuple[str, date]
"""A workspace or an organization, by its id, in a month."""


class Scope(StrEnum):
    """What a spending limit limits."""

    WORKSPACE = "workspace"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class SpendingLimit:
    """USD that a workspace or an organization may spend in a calendar month (UTC)."""

    scope: Scope
    scope_id: str
    amount: Decimal


@dataclass(slots=True)
class Spending:
    """USD that an account has spent, and that its running requests may yet cost."""

    spent: Decimal
    reserved: Decimal


@dataclass(frozen=True, slots=True)
class Claim:
    """The worst case of a request that wants to run."""

    request_id: str
    holder_id: str
    organization_id: str
    workspace_id: str
    month: date
    amount: Decimal

    @property
    def accounts(self) -> tuple[Account, Account]:
        """What it is held back from."""
        return (self.workspace_id, self.month), (self.organization_id, self.month)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The limit that a claim would have overrun, and what stood against it."""

    limit: SpendingLimit
    spent: Decimal
    reserved: Decimal


def decide(
    claim: Claim, limits: Mapping[str, SpendingLimit], accounts: MutableMapping[Account, Spending]
) -> Refusal | None:
    """Hold the claim back from its accounts, or say which limit forbids it and change nothing."""
    for account in claim.accounts:
        limit, spending = limits.get(account[0]), accounts[account]
        if limit is not None and spending.spent + spending.reserved + claim.amount > limit.amount:
            return Refusal(limit, spending.spent, spending.reserved)
    for account in claim.accounts:
        accounts[account].reserved += claim.amount
    return None
