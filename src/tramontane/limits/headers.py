"""The headers of a request's limits, named as the hosted API names them in 2026."""

from typing import Final

from tramontane.limits.figures import Limits
from tramontane.limits.store import Used

_PREFIX: Final = "x-ratelimit"


def of_limits(limits: Limits, used: Used) -> dict[str, str]:
    """Every limit that is set, and what is left of it."""
    headers: dict[str, str] = {}
    if limits.requests is not None:
        _add(headers, "req-minute", limits.requests.per_minute, used.requests)
    if limits.tokens_per_minute is not None:
        _add(headers, "tokens-minute", limits.tokens_per_minute, used.tokens)
    if limits.tokens_per_month is not None:
        _add(headers, "tokens-month", limits.tokens_per_month, used.month_tokens)
    return headers


def nothing_left(limits: Limits) -> dict[str, str]:
    """Every limit that is set, with nothing left of it: what a refusal carries.

    Of a minute's requests some may be left when the burst is over; none can be sent now.
    """
    rate = limits.requests
    everything = Used(
        requests=0 if rate is None else rate.per_minute,
        tokens=limits.tokens_per_minute or 0,
        month_tokens=limits.tokens_per_month or 0,
    )
    return of_limits(limits, everything)


def of_cost(limits: Limits, tokens: int) -> dict[str, str]:
    """What a request was charged, where `limits` speak of tokens."""
    return {f"{_PREFIX}-tokens-query-cost": str(tokens)} if limits.charges_tokens else {}


def _add(headers: dict[str, str], name: str, limit: int, used: int) -> None:
    headers[f"{_PREFIX}-limit-{name}"] = str(limit)
    headers[f"{_PREFIX}-remaining-{name}"] = str(max(0, limit - used))
