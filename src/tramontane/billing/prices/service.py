"""The operator's prices."""

from collections.abc import Sequence

from tramontane.billing.prices import repository
from tramontane.billing.prices.price_book import PriceBook
from tramontane.billing.prices.price_list import PriceList, price_list
from tramontane.billing.prices.repository import EVERY_WORKSPACE, PriceOverride
from tramontane.core.clock import Clock
from tramontane.core.money import Price
from tramontane.errors import InvalidRequestError
from tramontane.storage.database import Database

_LONGEST_MODEL_ID = 255


class PriceService:
    """Every change is announced, so that it holds at once in every process. No price is ever overwritten."""

    def __init__(self, database: Database, clock: Clock, prices: PriceList | None = None) -> None:
        self._database = database
        self._clock = clock
        self._prices = price_list() if prices is None else prices

    async def overrides(self) -> Sequence[PriceOverride]:
        """All that were ever set, oldest first."""
        async with self._database.snapshot() as connection:
            return await repository.list_overrides(connection)

    async def book(self) -> PriceBook:
        """What every model costs."""
        return PriceBook(self._prices, await self.overrides())

    async def set(
        self,
        model: str,
        price: Price | None,
        workspace_id: str = EVERY_WORKSPACE,
        valid_from: int | None = None,
    ) -> PriceOverride:
        """From `valid_from` on, or from now on, the model costs this; None takes the operator's price back.

        Raises:
            InvalidRequestError: no model has such an id, or the moment is past: what is billed stays billed.
        """
        now = int(self._clock.now())
        if not 0 < len(model) <= _LONGEST_MODEL_ID or not model.isprintable():
            raise InvalidRequestError(f"{model!r:.100} is no model id")
        if valid_from is not None and valid_from < now:
            raise InvalidRequestError("A price cannot begin in the past: what is billed stays billed")
        override = PriceOverride(workspace_id, model, now if valid_from is None else valid_from, price)
        async with self._database.transaction(announces=True) as connection:
            await repository.add_override(connection, override)
        return override
