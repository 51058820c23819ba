"""What billing is told of a request, and what it answers.

Ids of accounts are UUIDs in text, times are Unix seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tramontane.core.money import Price
from tramontane.core.principal import Principal
from tramontane.core.usage import Usage


class Endpoint(StrEnum):
    """What was asked for."""

    CHAT = "chat"
    FIM = "fim"
    EMBEDDINGS = "embeddings"


class Status(StrEnum):
    """How a request ended."""

    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"
    """The client left, or the request was superseded."""


@dataclass(frozen=True, slots=True)
class PriceKey:
    """What the price of a request is looked up by."""

    asked: str
    """The id that the request names, or the model that took it over from that one."""
    served: str
    """The id of the model that answers."""
    listed_as: str | None = None
    """What the price list calls the model that answers, if it answers under a name that is not in it."""


@dataclass(frozen=True, slots=True)
class BillableRequest:
    """A request that is about to cost something."""

    request_id: str
    """32 hex digits, the `id` of the answer: what keeps it from being billed twice."""
    principal: Principal
    endpoint: Endpoint
    stream: bool
    model_asked: str
    """The id that the request names."""
    model_served: str
    """The id of the model that answers."""
    max_prompt_tokens: int
    max_completion_tokens: int
    """The worst case of all its answers together."""
    created: int
    metadata: Mapping[str, Any] | None = None
    priced_as: PriceKey | None = None
    """Whose price it pays, if that is not said by the two ids."""

    @property
    def price_key(self) -> PriceKey:
        """Whose price it pays."""
        return self.priced_as or PriceKey(self.model_asked, self.model_served)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    status: Status
    usage: Usage
    duration: float
    """Seconds, from the arrival to the last byte."""
    time_to_first_token: float | None = None
    """Seconds, from the arrival."""
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """Leave to run a request, at the prices of the moment at which it came."""

    request: BillableRequest
    price: Price | None
    """None: unknown."""
    hosted_price: Price | None
    """What the hosted API takes for the model asked, None if that is not known."""
    amount: Decimal | None = None
    """USD held back from the spending limits; None if there are none to hold it back from."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request cost in USD; None where the price is unknown, which is not zero."""

    amount: Decimal | None
    hosted: Decimal | None
    """What the hosted API would have charged."""
