"""What an operator says of a pool of servers."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a server may be silent."""

    connect: float = 5.0
    first_token: float = 120.0
    """From the request to the first piece of the answer."""
    between_tokens: float = 60.0


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Servers that serve the same model, and how long they are trusted."""

    urls: Sequence[str]
    """Base URLs, `/v1` and all, without a slash at the end."""
    key: str | None = None
    """Sent as the bearer; None sends none."""
    timeouts: Timeouts = Timeouts()
    retries: int = 2
    """Further servers that a request is put to while nothing of its answer has come."""
    health_interval: float = 10.0
    """Seconds between two questions whether a server is well."""
    breaker_failures: int = 5
    """Failures in a row after which a server is left alone."""
    breaker_seconds: float = 10.0
    """For how long; then one request tries."""
