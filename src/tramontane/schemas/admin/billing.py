"""`/v1/admin/spend-limit` and `/v1/admin/usage`, in the shapes of the hosted Admin API.

Money is a JSON number there, and so it is here; exact sums stand in `tramontane`, as text.
"""

from decimal import Decimal
from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from tramontane.schemas.base import WireModel


class SetSpendLimitRequest(WireModel):
    """The limit of the organization, or with `workspace_id` of a workspace. USD a calendar month (UTC)."""

    amount: Decimal | None = None
    no_monthly_limit: bool = False
    workspace_id: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "SetSpendLimitRequest":
        if (self.amount is None) != self.no_monthly_limit:
            raise PydanticCustomError(
                "one_of_two", "Input should have either an amount, or no_monthly_limit true"
            )
        return self


class UsageLimits(WireModel):
    """How much of a limit is used in the current month."""

    no_monthly_limit: bool
    monthly_limit_reached: bool
    usage: float
    vibe_usage: float
    total_usage: float
    usage_limit: float | None


class SpendLimits(WireModel):
    """The limits of what this server bills."""

    completion: UsageLimits
    last_payment_failure: bool = False
    last_payment_failure_protection: bool | None = None
    currency: str = "USD"


class SpendLimitCard(WireModel):
    """The answer about a spending limit."""

    limits: SpendLimits


class UsageEntry(WireModel):
    """The tokens of one day, model and direction."""

    usage_type: str = "completion"
    event_type: str = "usage"
    billing_metric: str
    billing_display_name: str
    billing_group: str
    timestamp: str
    value: int
    value_paid: int


class ModelUsage(WireModel):
    """By "asked::served", then by direction: `input`, `cached`, `output`."""

    models: dict[str, dict[str, list[UsageEntry]]] = Field(default_factory=dict)


class PriceEntry(WireModel):
    """USD a token, as text."""

    event_type: str = "usage"
    billing_metric: str
    billing_group: str
    price: str


class UsageCard(WireModel):
    """What was used in a month. All that is billed here is `completion`."""

    completion: ModelUsage
    chat: ModelUsage = ModelUsage()
    ocr: ModelUsage = ModelUsage()
    audio: ModelUsage = ModelUsage()
    connectors: ModelUsage = ModelUsage()
    vibe_usage: float = 0
    date: str
    previous_month: str
    next_month: str
    start_date: str
    end_date: str
    currency: str = "USD"
    currency_symbol: str = "$"
    prices: list[PriceEntry]
    tramontane: dict[str, Any]
    """The totals of the month, exactly: see `GET /v1/admin/usage/report`."""
