"""What was used in a span of days, added up by one thing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from tramontane.core.money import ZERO


class By(StrEnum):
    """What a line of a report stands for."""

    DAY = "day"
    MONTH = "month"
    MODEL = "model"
    """The id that requests name."""
    SERVED = "served"
    """The model that answered."""
    KEY = "key"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which requests, by the UTC days `since` to `until`, both included; None lets all pass."""

    since: date
    until: date
    by: By = By.DAY
    organization_id: str | None = None
    workspace_id: str | None = None
    key_id: str | None = None
    model: str | None = None
    """The id asked."""


@dataclass(slots=True)
class UsageLine:
    """Totals. Costs are USD; requests without a price are counted in `unpriced` and cost nothing here."""

    of: str
    """A day or month in ISO 8601, a model id, or the id of a key or workspace."""
    name: str | None = None
    """What the key or workspace is called, if it is still there."""
    requests: int = 0
    errors: int = 0
    cancelled: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal = ZERO
    unpriced: int = 0
    hosted_cost: Decimal = ZERO
    """What the hosted API would have charged."""
    hosted_unpriced: int = 0

    def add(self, other: "UsageLine") -> None:
        """Count the other line's requests too."""
        self.requests += other.requests
        self.errors += other.errors
        self.cancelled += other.cancelled
        self.prompt_tokens += other.prompt_tokens
        self.cached_tokens += other.cached_tokens
        self.completion_tokens += other.completion_tokens
        self.cost += other.cost
        self.unpriced += other.unpriced
        self.hosted_cost += other.hosted_cost
        self.hosted_unpriced += other.hosted_unpriced


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Lines, days and months in order, all else dearest first; and their sum."""

    query: UsageQuery
    lines: Sequence[UsageLine]
    total: UsageLine = field(init=False)

    def __post_init__(self) -> None:
        total = UsageLine("total")
        for line in self.lines:
            total.add(line)
        object.__setattr__(self, "total", total)


def by_month(days: Iterable[UsageLine]) -> list[UsageLine]:
    """Lines of days, folded into lines of months."""
    months: dict[str, UsageLine] = {}
    for day in days:
        month = day.of[:7]
        months.setdefault(month, UsageLine(month)).add(day)
    return list(months.values())
