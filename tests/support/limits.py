"""Limits, their stores, and what they should do, written down a second time in the plainest way."""

from dataclasses import dataclass, field

from tests.support.waiting import PATIENCE
from tramontane.limits.figures import MINUTE, Limits, request_rate
from tramontane.limits.memory import MemoryLimitStore
from tramontane.limits.redis import RedisLimitStore
from tramontane.limits.store import LimitKey
from tramontane.storage.redis import RedisServer

START = 1_700_000_000_000_000


class MicrosecondClock:
    """Stands still until it is moved, exactly."""

    def __init__(self):
        self.microseconds = START

    def now(self):
        return self.microseconds / 1_000_000

    def monotonic(self):
        return self.now()

    def advance(self, microseconds):
        self.microseconds += microseconds


def limits_of(requests=None, burst=None, tokens=None, month=None):
    rate = None if requests is None else request_rate(requests, burst)
    return Limits(rate, tokens, month)


@dataclass
class Counted:
    """The definition of the limits, over everything that ever happened."""

    limits: Limits
    requests: list = field(default_factory=list)
    charges: list = field(default_factory=list)

    def within(self, now, span):
        return sum(now - span < at <= now for at in self.requests)

    def tokens(self, now):
        return sum(tokens for at, tokens in self.charges if now - MINUTE < at <= now)

    def allows(self, now):
        rate, tokens = self.limits.requests, self.limits.tokens_per_minute
        if rate and self.within(now, rate.span) >= rate.burst:
            return False
        if rate and self.within(now, MINUTE) >= rate.per_minute:
            return False
        return tokens is None or self.tokens(now) < tokens


def memory_store(clock):
    return MemoryLimitStore(clock)


def redis_store(url, prefix, clock=None):
    """Patient: a machine that is slow is no outage."""
    return RedisLimitStore(RedisServer(url, PATIENCE), prefix, clock)


def key(workspace="workspace", model="model"):
    return LimitKey(workspace, model)
