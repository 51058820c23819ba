"""Spending limits as administrators see and set them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tramontane.billing.calendar import month_of, next_month
from tramontane.billing.spending import repository
from tramontane.billing.spending.claims import Scope, Spending, SpendingLimit
from tramontane.core.clock import Clock
from tramontane.core.money import round_to_nanodollar
from tramontane.errors import InvalidRequestError
from tramontane.storage.database import Database

_MOST = Decimal(1_000_000_000)
"""USD a month: less than what fits into the database's integers."""


@dataclass(frozen=True, slots=True)
class SpendingStatus:
    """Where a workspace or an organization stands in the current month."""

    scope: Scope
    scope_id: str
    month: date
    limit: Decimal | None
    """USD; None: no limit."""
    spending: Spending

    @property
    def is_reached(self) -> bool:
        """Whether nothing is left."""
        return self.limit is not None and self.spending.spent >= self.limit

    @property
    def resets_on(self) -> date:
        """The day on which it begins anew, at 00:00 UTC."""
        return next_month(self.month)


class SpendingService:
    """Every change is announced, so that it holds at once in every process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def limits(self) -> Sequence[SpendingLimit]:
        """All limits that are set."""
        async with self._database.snapshot() as connection:
            return await repository.list_limits(connection)

    async def status(self, scope: Scope, scope_id: str) -> SpendingStatus:
        """The limit of the workspace or organization, and how much of it is used in the current month."""
        month = month_of(self._clock.now())
        async with self._database.snapshot() as connection:
            limits = {limit.scope_id: limit.amount for limit in await repository.list_limits(connection)}
            spending = await repository.get_spending(connection, scope_id, month)
        return SpendingStatus(scope, scope_id, month, limits.get(scope_id), spending)

    async def set(self, scope: Scope, scope_id: str, amount: Decimal | None) -> None:
        """Set the limit in USD a month; None takes it away.

        Raises:
            InvalidRequestError: the amount is no sum of money.
        """
        async with self._database.transaction(announces=True) as connection:
            if amount is None:
                await repository.remove_limit(connection, scope_id)
            else:
                limit = SpendingLimit(scope, scope_id, _checked(amount))
                await repository.set_limit(connection, limit, int(self._clock.now()))


def _checked(amount: Decimal) -> Decimal:
    if not amount.is_finite() or not 0 <= amount <= _MOST or round_to_nanodollar(amount) != amount:
        raise InvalidRequestError(
            f"A spending limit is between 0 and {_MOST} USD, with at most nine decimals; got {amount}"
        )
    return amount
