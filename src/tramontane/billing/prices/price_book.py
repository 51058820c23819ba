"""Which price a request pays: the operator's own prices over the list."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tramontane.billing.entities import PriceKey
from tramontane.billing.prices.price_list import PriceList
from tramontane.billing.prices.repository import EVERY_WORKSPACE, PriceOverride
from tramontane.core.money import Price


@dataclass(frozen=True, slots=True)
class AppliedPrice:
    """A price, and why it is this one."""

    price: Price
    source: str


class PriceBook:
    """Looks for a price, and the first one found holds.

    First the workspace's own for the id asked, then its own for the model that serves; then those of every
    workspace in the same order; then the list's price of the id asked, and then of the model that serves.
    """

    def __init__(self, prices: PriceList, overrides: Sequence[PriceOverride]) -> None:
        self._prices = prices
        self._overrides: dict[tuple[str, str], list[PriceOverride]] = {}
        for override in sorted(overrides, key=lambda override: override.valid_from):
            self._overrides.setdefault((override.workspace_id, override.model), []).append(override)

    def price(self, workspace_id: str, key: PriceKey, at: float) -> AppliedPrice | None:
        """What a token costs at the Unix time `at`. None: unknown, which is not zero."""
        if self._overrides:
            for whose in (workspace_id, EVERY_WORKSPACE):
                for model in (key.asked, key.served):
                    if (price := self._override(whose, model, at)) is not None:
                        who = "every workspace" if whose == EVERY_WORKSPACE else "this workspace"
                        return AppliedPrice(price, f"set by the operator for {model} in {who}")
        listed = self._prices.at(key.asked, at)
        if listed is None and key.listed_as is not None:
            listed = self._prices.at(key.listed_as, at)
        return None if listed is None else AppliedPrice(listed.price, listed.source)

    def hosted(self, asked: str, at: float) -> Price | None:
        """What the hosted API takes for the id asked."""
        listed = self._prices.hosted(asked, at)
        return None if listed is None else listed.price

    def _override(self, workspace_id: str, model: str, at: float) -> Price | None:
        overrides = self._overrides.get((workspace_id, model), [])
        place = bisect_right(overrides, at, key=lambda override: override.valid_from)
        return overrides[place - 1].price if place else None
