"""The limits of many processes and machines: each step is one script that Redis runs without a pause."""

from typing import Final

from tramontane.core.clock import Clock
from tramontane.limits.figures import Limits
from tramontane.limits.store import LimitKey, Used, Verdict
from tramontane.storage.redis import RedisServer

_MONTH_IS_SPENT: Final = 2
_MONTH_IS_UNKNOWN: Final = 3
_NOBODY: Final = LimitKey("nobody", "check")


class RedisLimitStore:
    """Counts in Redis, by its clock, which all share; by `clock` in tests.

    Keys are `tramontane:{WORKSPACE:MODEL}:…` and vanish after a minute without requests. The braces put those
    of one request on one node of a cluster.
    """

    def __init__(self, server: RedisServer, prefix: str = "tramontane:", clock: Clock | None = None) -> None:
        self._server = server
        self._prefix = prefix
        self._clock = clock
        self._admit = server.script("minute", "admit")
        self._charge = server.script("minute", "charge")
        self._peek = server.script("minute", "peek")

    async def admit(
        self, key: LimitKey, limits: Limits, month: str, month_tokens: int | None = None
    ) -> Verdict | None:
        """Count one request if `limits` let it through; see `LimitStore`."""
        rate = limits.requests
        status, now, requests, tokens, month_used, requests_wait, tokens_wait = await self._admit(
            [self._key(key, "requests"), self._key(key, "tokens"), self._key(key, month)],
            [
                self._now(),
                *(("", "", "") if rate is None else (rate.per_minute, rate.burst, rate.span)),
                _argument(limits.tokens_per_minute),
                _argument(limits.tokens_per_month),
                _argument(month_tokens),
            ],
        )
        if status == _MONTH_IS_UNKNOWN:
            return None
        used = Used(requests, tokens, month_used)
        return Verdict(now, used, requests_wait, tokens_wait, status == _MONTH_IS_SPENT)

    async def charge(self, key: LimitKey, _limits: Limits, month: str, tokens: int) -> Used:
        """Count the tokens that a request really used."""
        in_minute, in_month = await self._charge(
            [self._key(key, "tokens"), self._key(key, month)], [self._now(), tokens]
        )
        return Used(0, in_minute, in_month)

    async def used(self, key: LimitKey, month: str) -> Used:
        """What has been counted."""
        requests, tokens, month_tokens = await self._peek(
            [self._key(key, "requests"), self._key(key, "tokens"), self._key(key, month)], [self._now()]
        )
        return Used(requests, tokens, month_tokens)

    async def check(self) -> None:
        """Run what admission needs: a server that answers, but reads only or runs no scripts, is of no use.

        Raises:
            StorageError: Redis cannot be used now.
        """
        await self.charge(_NOBODY, Limits(), "", 0)

    async def close(self) -> None:
        """Close every connection."""
        await self._server.close()

    def _key(self, key: LimitKey, name: str) -> str:
        return f"{self._prefix}{{{key.workspace_id}:{key.model}}}:{name}"

    def _now(self) -> str | int:
        return "" if self._clock is None else round(self._clock.now() * 1_000_000)


def _argument(limit: int | None) -> str | int:
    return "" if limit is None else limit
