"""Limits and usage as the admin API shows them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tramontane.billing.calendar import last_day, next_month
from tramontane.billing.entities import PriceKey
from tramontane.billing.prices.price_book import PriceBook
from tramontane.billing.spending.service import SpendingStatus
from tramontane.billing.usage.report import UsageLine
from tramontane.schemas.admin.billing import (
    ModelUsage,
    PriceEntry,
    SpendLimitCard,
    SpendLimits,
    UsageCard,
    UsageEntry,
    UsageLimits,
)

DayOfModel = tuple[date, str, str, UsageLine]
"""A day, the model asked, the model that answered, and their totals."""

_PER_TOKEN = Decimal("1e-6")


def spend_limit_card(status: SpendingStatus) -> SpendLimitCard:
    """Where a workspace or an organization stands."""
    spent = float(status.spending.spent)
    return SpendLimitCard(
        limits=SpendLimits(
            completion=UsageLimits(
                no_monthly_limit=status.limit is None,
                monthly_limit_reached=status.is_reached,
                usage=spent,
                vibe_usage=0,
                total_usage=spent,
                usage_limit=None if status.limit is None else float(status.limit),
            )
        )
    )


def usage_card(
    month: date, days: Sequence[DayOfModel], prices: PriceBook, workspace_id: str, total: dict[str, Any]
) -> UsageCard:
    """What was used in the month, with the prices that hold at its end."""
    end = _midnight(next_month(month))
    models: dict[str, dict[str, list[UsageEntry]]] = {}
    for day, asked, served, line in days:
        for group, tokens in _tokens(line):
            if tokens:
                groups = models.setdefault(f"{asked}::{served}", {})
                groups.setdefault(group, []).append(_entry(day, asked, group, tokens, line))
    return UsageCard(
        completion=ModelUsage(models=models),
        date=_text(_midnight(month)),
        previous_month=f"{month - timedelta(days=1):%Y-%m}",
        next_month=f"{next_month(month):%Y-%m}",
        start_date=_text(_midnight(month)),
        end_date=_text(datetime.combine(last_day(month), time.max, UTC).replace(microsecond=0)),
        prices=_prices(days, prices, workspace_id, end.timestamp() - 1),
        tramontane=total,
    )


def _tokens(line: UsageLine) -> Iterable[tuple[str, int]]:
    yield "input", line.prompt_tokens - line.cached_tokens
    yield "cached", line.cached_tokens
    yield "output", line.completion_tokens


def _entry(day: date, asked: str, group: str, tokens: int, line: UsageLine) -> UsageEntry:
    return UsageEntry(
        billing_metric=asked,
        billing_display_name=asked,
        billing_group=group,
        timestamp=day.isoformat(),
        value=tokens,
        value_paid=tokens if line.cost else 0,
    )


def _prices(days: Sequence[DayOfModel], prices: PriceBook, workspace_id: str, at: float) -> list[PriceEntry]:
    entries = []
    for asked, served in sorted({(asked, served) for _, asked, served, _ in days}):
        applied = prices.price(workspace_id, PriceKey(asked, served), at)
        if applied is not None:
            price = applied.price
            figures = {"input": price.input, "cached": price.cached_input, "output": price.output}
            entries += [
                PriceEntry(billing_metric=asked, billing_group=group, price=f"{figure * _PER_TOKEN:f}")
                for group, figure in figures.items()
            ]
    return entries


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
