"""The arithmetic of one workspace and model: a sliding minute of requests and of tokens. Pure.

`storage/lua/admit.lua` and `charge.lua` do the same in Redis.
"""

from collections import deque

from tramontane.limits.figures import MINUTE, Limits, RequestRate
from tramontane.limits.store import Used, Verdict


class Window:
    """The last minute. What happened at t counts until t + 1 minute. `now` never runs backwards."""

    __slots__ = ("_charges", "_month", "_month_tokens", "_requests", "_tokens", "used_at")

    def __init__(self) -> None:
        self._requests: deque[int] = deque()
        self._charges: deque[tuple[int, int]] = deque()
        self._tokens = 0
        self._month = ""
        self._month_tokens = 0
        self.used_at = 0

    def knows_month(self, month: str) -> bool:
        """Whether the tokens charged in `month` are known."""
        return self._month == month

    def set_month(self, month: str, tokens: int) -> None:
        """Say how many tokens have been charged in `month` so far."""
        self._month, self._month_tokens = month, tokens

    def admit(self, limits: Limits, now: int) -> Verdict:
        """Count one request, if nothing stands in its way."""
        self._forget(now)
        requests_wait = self._requests_wait(limits.requests, now) if limits.requests else 0
        tokens_wait = self._tokens_wait(limits.tokens_per_minute, now)
        month_is_spent = limits.tokens_per_month is not None and self._month_tokens >= limits.tokens_per_month
        if limits.requests and not (requests_wait or tokens_wait or month_is_spent):
            self._requests.append(now)
        return Verdict(now, self._used(), requests_wait, tokens_wait, month_is_spent)

    def charge(self, month: str, tokens: int, now: int) -> Used:
        """Count `tokens`. Those of a month that is not known are left to whoever says what it had so far."""
        self._forget(now)
        self._charges.append((now, tokens))
        self._tokens += tokens
        if self.knows_month(month):
            self._month_tokens += tokens
        return self._used()

    def used(self, month: str, now: int) -> Used:
        """What has been counted, the tokens of a month that is not known being 0."""
        horizon = now - MINUTE
        return Used(
            sum(at > horizon for at in self._requests),
            sum(tokens for at, tokens in self._charges if at > horizon),
            self._month_tokens if self.knows_month(month) else 0,
        )

    def _used(self) -> Used:
        return Used(len(self._requests), self._tokens, self._month_tokens)

    def _forget(self, now: int) -> None:
        self.used_at = now
        horizon = now - MINUTE
        requests, charges = self._requests, self._charges
        while requests and requests[0] <= horizon:
            requests.popleft()
        while charges and charges[0][0] <= horizon:
            self._tokens -= charges.popleft()[1]

    def _requests_wait(self, rate: RequestRate, now: int) -> int:
        """Until fewer than `burst` lie in the span and fewer than `per_minute` in the minute."""
        requests = self._requests
        wait = 0
        if len(requests) >= rate.burst:
            wait = requests[-rate.burst] + rate.span - now
        if len(requests) >= rate.per_minute:
            wait = max(wait, requests[-rate.per_minute] + MINUTE - now)
        return max(wait, 0)

    def _tokens_wait(self, limit: int | None, now: int) -> int:
        """Until fewer than `limit` are left in the minute."""
        if limit is None or self._tokens < limit:
            return 0
        left = self._tokens
        for at, tokens in self._charges:
            left -= tokens
            if left < limit:
                return at + MINUTE - now
        raise AssertionError("the sum is that of the charges")
