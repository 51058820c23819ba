"""What serving knows of billing: reserve before a request runs, settle when it has ended."""

import logging
from collections.abc import Callable
from datetime import date

from tramontane.billing.calendar import month_of, next_month
from tramontane.billing.entities import BillableRequest, Cost, Outcome, Reservation
from tramontane.billing.ledger.row import cost_of, ledger_row
from tramontane.billing.ledger.writer import PATIENCE, Backlog, LedgerWriter
from tramontane.billing.prices.price_list import PriceList, price_list
from tramontane.billing.spending.claims import Claim, Refusal
from tramontane.billing.spending.lease import BEAT, Lease
from tramontane.billing.terms import Terms, TermsCache
from tramontane.core.clock import Clock
from tramontane.core.money import dollars, worst_cost
from tramontane.errors import LedgerUnavailableError, SpendingLimitError, StorageError, UnknownPriceError
from tramontane.storage.database import Database

logger = logging.getLogger(__name__)


class BillingService:
    """The bill of every request. Between `start` and `close`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        prices: PriceList | None = None,
        patience: float = PATIENCE,
        beat: float = BEAT,
        on_commit: Callable[[int, float], None] | None = None,
    ) -> None:
        self._terms = TermsCache(database, price_list() if prices is None else prices, clock)
        self._writer = LedgerWriter(database, clock, patience=patience, on_commit=on_commit)
        self._lease = Lease(database, clock, self._has_limits, beat=beat)

    async def start(self) -> None:
        """Begin to write.

        Raises:
            StorageError: the database cannot be read.
        """
        await self._terms.current()
        self._writer.start()
        self._lease.start()

    async def close(self) -> None:
        """Write what is left and release what is held. Whatever is settled later waits in vain."""
        await self._writer.close()
        await self._lease.close()

    def backlog(self) -> Backlog:
        """What of the ledger is not yet committed."""
        return self._writer.backlog

    async def reserve(self, request: BillableRequest) -> Reservation:
        """Leave to run the request. It must be settled, or released if it never ran.

        Writes nothing unless a spending limit applies.

        Raises:
            SpendingLimitError: it may cost more than the limit leaves.
            UnknownPriceError: a limit applies, and the model has no price.
            LedgerUnavailableError: the database cannot be used.
        """
        if self._writer.is_full:
            raise LedgerUnavailableError
        terms = await self._current_terms()
        principal, asked = request.principal, request.model_asked
        applied = terms.prices.price(principal.workspace_id, request.price_key, request.created)
        price = None if applied is None else applied.price
        hosted = terms.prices.hosted(asked, request.created)
        if not (terms.limits.keys() & {principal.workspace_id, principal.organization_id}):
            return Reservation(request, price, hosted)
        if price is None:
            raise UnknownPriceError(request.price_key.asked)
        amount = worst_cost(price, request.max_prompt_tokens, request.max_completion_tokens)
        if not amount:
            return Reservation(request, price, hosted)
        claim = Claim(
            request_id=request.request_id,
            holder_id=self._lease.holder_id,
            organization_id=principal.organization_id,
            workspace_id=principal.workspace_id,
            month=month_of(request.created),
            amount=amount,
        )
        if (refusal := await self._writer.claim(claim)) is not None:
            raise SpendingLimitError(_explanation(refusal, claim))
        return Reservation(request, price, hosted, amount)

    async def settle(self, reservation: Reservation, outcome: Outcome) -> Cost:
        """Write the request's row of the ledger; returns when it is committed.

        The row is written even if the caller is cancelled meanwhile, and once however often this is called.

        Raises:
            LedgerUnavailableError: it is not committed yet, so the answer must not be completed. The row is
                kept, and written as soon as the database can be.
        """
        charged = cost_of(reservation, outcome.usage)
        row = ledger_row(reservation, outcome, charged)
        await self._writer.add(row, reserved=reservation.amount is not None)
        return charged

    def release(self, reservation: Reservation) -> None:
        """Give back the reservation of a request that never ran: nothing is billed, and no row is written."""
        if reservation.amount is not None:
            self._writer.release(reservation.request.request_id)

    async def _current_terms(self) -> Terms:
        try:
            return await self._terms.current()
        except StorageError as error:
            logger.error("prices and spending limits cannot be read: %s", error)  # noqa: TRY400  it says all
            raise LedgerUnavailableError from error

    async def _has_limits(self) -> bool:
        return bool((await self._terms.current()).limits)


def _explanation(refusal: Refusal, claim: Claim) -> str:
    limit, spent = refusal.limit, refusal.spent
    what = f"The monthly spending limit of this {limit.scope} ({dollars(limit.amount)})"
    resets = f"It resets on {_midnight(next_month(claim.month))}; an administrator can raise it."
    if spent >= limit.amount:
        return f"{what} is reached: {dollars(spent)} spent. {resets}"
    running = f", {dollars(refusal.reserved)} reserved by running requests" if refusal.reserved else ""
    return (
        f"{what} would be exceeded: {dollars(spent)} spent{running}, and this request may cost up to "
        f"{dollars(claim.amount)}; a smaller max_tokens makes that less. {resets}"
    )


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
