"""The hosted API's prices as dated data: `billing/data/prices.toml`."""

import tomllib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from importlib.resources import files

import msgspec

from tramontane.core.money import FREE, Price


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: tuple[str, ...]
    valid_from: date
    input: Decimal
    output: Decimal
    source: str
    cached_input: Decimal | None = None


class _WithoutPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: tuple[str, ...]
    reason: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sources: dict[str, str]
    prices: tuple[_Entry, ...]
    free: tuple[_WithoutPrice, ...]
    unknown: tuple[_WithoutPrice, ...]


@dataclass(frozen=True, slots=True)
class ListPrice:
    """The price of an id from one moment on, until a later one of the same id begins."""

    valid_from: int
    """Unix seconds."""
    price: Price
    source: str
    """Where the figures were read, or why there is nothing to pay."""


class PriceList:
    """Prices by the id that a request names, aliases included."""

    def __init__(
        self, hosted: Mapping[str, Sequence[ListPrice]], free: Mapping[str, str], unknown: Mapping[str, str]
    ) -> None:
        self._hosted = {
            model: tuple(sorted(prices, key=lambda price: price.valid_from))
            for model, prices in hosted.items()
        }
        self._free = {model: ListPrice(0, FREE, reason) for model, reason in free.items()}
        self._unknown = dict(unknown)

    def models(self) -> Sequence[str]:
        """Every id of which anything is said."""
        return (*self._hosted, *self._free, *self._unknown)

    def hosted(self, model: str, at: float) -> ListPrice | None:
        """What the hosted API takes for `model` at the Unix time `at`; None if that is not known."""
        prices = self._hosted.get(model, ())
        place = bisect_right(prices, at, key=lambda price: price.valid_from)
        return prices[place - 1] if place else None

    def at(self, model: str, at: float) -> ListPrice | None:
        """The same, and nothing for what is free because it is no model of the hosted API."""
        return self.hosted(model, at) or self._free.get(model)

    def reason_unknown(self, model: str) -> str | None:
        """Why there is no price, if that is known."""
        return self._unknown.get(model)


@cache
def price_list() -> PriceList:
    """The list of this release."""
    text = (files("tramontane.billing") / "data" / "prices.toml").read_text("utf-8")
    return read_price_list(text)


def read_price_list(text: str) -> PriceList:
    """The list that a TOML file says. Its figures are read as decimals, never as floats.

    Raises:
        ValueError: the text is no such file, or one of its prices cannot be.
    """
    content = msgspec.convert(tomllib.loads(text, parse_float=Decimal), _File)
    hosted: dict[str, list[ListPrice]] = {}
    for entry in content.prices:
        begins = int(datetime.combine(entry.valid_from, time(), UTC).timestamp())
        price = ListPrice(
            begins, Price.of(entry.input, entry.output, entry.cached_input), content.sources[entry.source]
        )
        for model in entry.models:
            hosted.setdefault(model, []).append(price)
    return PriceList(hosted, _reasons(content.free), _reasons(content.unknown))


def _reasons(entries: Sequence[_WithoutPrice]) -> dict[str, str]:
    return {model: entry.reason for entry in entries for model in entry.models}
