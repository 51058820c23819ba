"""Limits as serving uses them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date
from math import ceil
from typing import Final

from tramontane.core.clock import Clock
from tramontane.errors import AuthenticationError, RateLimitError
from tramontane.limits import headers, repository
from tramontane.limits.figures import Limits
from tramontane.limits.months import Calendar
from tramontane.limits.store import LimitKey, LimitStore, Used, Verdict
from tramontane.storage.database import Database
from tramontane.storage.revision_cache import RevisionCache

MonthTokens = Callable[[str, str, date], Awaitable[int]]
"""The tokens that a workspace has been charged for a model in the month that begins on this day."""

_CACHE_SIZE: Final = 16_384
"""Workspaces times models."""
_NOTHING: Final = Used(0, 0, 0)


class Admitted:
    """A request that may go on."""

    def __init__(
        self, store: LimitStore, calendar: Calendar, key: LimitKey, limits: Limits, shown: Limits, used: Used
    ) -> None:
        self._store = store
        self._calendar = calendar
        self._key = key
        self._limits = limits
        self._shown = shown
        self._used = used

    @property
    def headers(self) -> Mapping[str, str]:
        """The limits as of admission: what the head of a stream carries."""
        return headers.of_limits(self._shown, self._used)

    async def charge(self, tokens: int) -> Mapping[str, str]:
        """Charge what was really used, cached tokens left out: once, when the request is over.

        Returns:
            The headers as they are then, with the cost: what a whole answer carries.
        """
        used = self._used
        if tokens and self._limits.charges_tokens:
            month = self._calendar.month().name
            charged = await self._store.charge(self._key, self._limits, month, tokens)
            used = replace(charged, requests=used.requests)
        return headers.of_limits(self._shown, used) | headers.of_cost(self._shown, tokens)


class LimitsService:
    """Admits requests, and charges them.

    `month_tokens` is asked once for a workspace and model with a limit of tokens a month, and again after a
    minute in which nothing was asked of it.
    """

    def __init__(
        self, database: Database, store: LimitStore, clock: Clock, month_tokens: MonthTokens
    ) -> None:
        self._database = database
        self._store = store
        self._calendar = Calendar(clock)
        self._month_tokens = month_tokens
        self._known: RevisionCache[LimitKey, Limits] = RevisionCache(clock, _CACHE_SIZE)

    async def admit(self, workspace_id: str, model: str, *, shows_tokens: bool = True) -> Admitted:
        """Count one request, or refuse it.

        Args:
            workspace_id: whose request it is.
            model: id of the model that serves it; all its aliases share its limits.
            shows_tokens: whether headers speak of tokens. The hosted API's do not for embeddings, whose
                tokens count all the same.

        Raises:
            RateLimitError: a limit is reached.
            StorageError: the database cannot be asked what the limits are.
        """
        key = LimitKey(workspace_id, model)
        limits = await self._limits(key)
        shown = limits if shows_tokens else Limits(limits.requests)
        if limits.is_unlimited:
            return Admitted(self._store, self._calendar, key, limits, shown, _NOTHING)
        if closed := limits.closed:
            raise RateLimitError(headers.of_limits(closed, _NOTHING), retry_after=None)
        verdict = await self._admit(key, limits)
        if not verdict.is_admitted:
            raise self._refusal(limits, verdict)
        return Admitted(self._store, self._calendar, key, limits, shown, verdict.used)

    async def used(self, workspace_id: str, model: str) -> Used:
        """What the limiter has counted for a workspace and model, requests that still run among it.

        What no limit counts is 0.

        Raises:
            StorageError: it cannot be asked.
        """
        return await self._store.used(LimitKey(workspace_id, model), self._calendar.month().name)

    async def close(self) -> None:
        """Let go of connections."""
        await self._store.close()

    async def _limits(self, key: LimitKey) -> Limits:
        """From memory, unless anything has changed since."""
        revision = self._database.revision
        limits = self._known.get(key, revision)
        if limits is None:
            async with self._database.snapshot() as connection:
                workspace = await repository.get_limits(connection, key.workspace_id)
            if workspace is None:
                raise AuthenticationError  # it went after its key was read
            limits = workspace.of(key.model)
            self._known.put(key, limits, revision)
        return limits

    async def _admit(self, key: LimitKey, limits: Limits) -> Verdict:
        month = self._calendar.month()
        verdict = await self._store.admit(key, limits, month.name)
        if verdict is None:
            tokens = await self._month_tokens(key.workspace_id, key.model, month.first)
            verdict = await self._store.admit(key, limits, month.name, tokens)
        assert verdict is not None
        return verdict

    def _refusal(self, limits: Limits, verdict: Verdict) -> RateLimitError:
        """Names the limits that are reached, and when all of them will let a request through."""
        wait = max(verdict.requests_wait, verdict.tokens_wait) / 1_000_000
        if verdict.month_is_spent:
            wait = max(wait, self._calendar.seconds_left())
        reached = Limits(
            requests=limits.requests if verdict.requests_wait else None,
            tokens_per_minute=limits.tokens_per_minute if verdict.tokens_wait else None,
            tokens_per_month=limits.tokens_per_month if verdict.month_is_spent else None,
        )
        return RateLimitError(headers.nothing_left(reached), retry_after=ceil(wait))
