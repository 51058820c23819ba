"""What rules a request's bill: prices and spending limits, as the database had them at one revision."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from tramontane.billing.prices import repository as price_repository
from tramontane.billing.prices.price_book import PriceBook
from tramontane.billing.prices.price_list import PriceList
from tramontane.billing.spending import repository as spending_repository
from tramontane.billing.spending.claims import SpendingLimit
from tramontane.core.clock import Clock
from tramontane.storage.database import Database
from tramontane.storage.revision_cache import RevisionCache


@dataclass(frozen=True, slots=True)
class Terms:
    """Prices and limits that belong together."""

    prices: PriceBook
    limits: Mapping[str, SpendingLimit]
    """By the id of the workspace or organization."""


class TermsCache:
    """The terms that hold now: asked for again once a change is announced, and every few seconds."""

    def __init__(self, database: Database, prices: PriceList, clock: Clock) -> None:
        self._database = database
        self._prices = prices
        self._lock = asyncio.Lock()
        self._known: RevisionCache[None, Terms] = RevisionCache(clock, size=1)

    async def current(self) -> Terms:
        """What holds now.

        Raises:
            StorageError: it has changed, and the database cannot be asked.
        """
        if (terms := self._if_current()) is not None:
            return terms
        async with self._lock:  # one question for all who ask at once
            if (terms := self._if_current()) is not None:
                return terms
            revision = self._database.revision
            async with self._database.snapshot() as connection:
                overrides = await price_repository.list_overrides(connection)
                limits = await spending_repository.list_limits(connection)
            terms = Terms(PriceBook(self._prices, overrides), {limit.scope_id: limit for limit in limits})
            self._known.put(None, terms, revision)
            return terms

    def _if_current(self) -> Terms | None:
        return self._known.get(None, self._database.revision)
