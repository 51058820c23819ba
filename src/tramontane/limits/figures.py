"""The figures: what a workspace may do with one model, and who says so. Pure."""

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal, TypedDict

MINUTE: Final = 60_000_000
"""In microseconds, the unit of all times of the limiter."""

Figure = int | Literal["unlimited"]


@dataclass(frozen=True, slots=True)
class RequestRate:
    """At most `burst` requests in any `span`, so at most `per_minute` in any minute.

    60 a minute with a burst of 1 is exactly one request a second; with a burst of 60 the same minute's
    requests may come at once.
    """

    per_minute: int
    burst: int

    @property
    def span(self) -> int:
        """The microseconds to which `burst` requests belong, rounded up."""
        return -(-self.burst * MINUTE // self.per_minute)


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for one workspace and one model. None is no limit, 0 lets nothing through."""

    requests: RequestRate | None = None
    tokens_per_minute: int | None = None
    tokens_per_month: int | None = None

    @property
    def charges_tokens(self) -> bool:
        """Whether anything depends on the tokens that a request used."""
        return self.tokens_per_minute is not None or self.tokens_per_month is not None

    @property
    def is_unlimited(self) -> bool:
        """Whether everything is allowed."""
        return self.requests is None and not self.charges_tokens

    @property
    def closed(self) -> "Limits | None":
        """Those that are zero: no waiting helps. None if all let something through."""
        rate = self.requests
        zeros = Limits(
            requests=rate if rate is not None and rate.per_minute == 0 else None,
            tokens_per_minute=0 if self.tokens_per_minute == 0 else None,
            tokens_per_month=0 if self.tokens_per_month == 0 else None,
        )
        return None if zeros.is_unlimited else zeros


@dataclass(frozen=True, slots=True)
class Override:
    """Figures that take the place of a plan's; None leaves the plan's."""

    requests_per_minute: Figure | None = None
    burst: int | None = None
    tokens_per_minute: Figure | None = None
    tokens_per_month: Figure | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return self == Override()


class Changes(TypedDict, total=False):
    """The figures of an override to change; None gives one back to the plan."""

    requests_per_minute: Figure | None
    burst: int | None
    tokens_per_minute: Figure | None
    tokens_per_month: Figure | None


NO_OVERRIDE: Final = Changes(
    requests_per_minute=None, burst=None, tokens_per_minute=None, tokens_per_month=None
)
"""Every figure is the plan's."""


def request_rate(per_minute: int, burst: int | None) -> RequestRate:
    """The rate; unless a burst is chosen, it is what belongs to a second, and at least one request."""
    return RequestRate(per_minute, min(per_minute, burst or max(1, ceil(per_minute / 60))))


def overridden(limits: Limits, override: Override) -> Limits:
    """`limits` with the figures of `override` in place. A new rate does not keep the old one's burst."""
    return Limits(
        requests=_requests(limits.requests, override),
        tokens_per_minute=_figure(limits.tokens_per_minute, override.tokens_per_minute),
        tokens_per_month=_figure(limits.tokens_per_month, override.tokens_per_month),
    )


def _requests(rate: RequestRate | None, override: Override) -> RequestRate | None:
    match override.requests_per_minute:
        case None:
            return rate and request_rate(rate.per_minute, override.burst or rate.burst)
        case "unlimited":
            return None
        case per_minute:
            return request_rate(per_minute, override.burst)


def _figure(planned: int | None, chosen: Figure | None) -> int | None:
    match chosen:
        case None:
            return planned
        case "unlimited":
            return None
        case _:
            return chosen
