"""What remembers the requests and tokens of the last minute: in this process, or in Redis for many.

Both keep to the same rules, stated in `docs/limits.md` and held by one test suite. Times are microseconds.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tramontane.limits.figures import Limits


class LimitKey(NamedTuple):
    """Whose requests are counted together: all keys of the workspace, all ids of the model."""

    workspace_id: str
    model: str


@dataclass(frozen=True, slots=True)
class Used:
    """What has been used up. A count whose limit is not set may be 0 instead."""

    requests: int
    """Admitted in the last minute."""
    tokens: int
    """Charged in the last minute."""
    month_tokens: int
    """Charged in this month."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on; only then it counts."""

    at: int
    """When this was decided, by the store's clock; for one key it never runs backwards."""
    used: Used
    requests_wait: int = 0
    """How long the rate of requests stands in the way."""
    tokens_wait: int = 0
    """How long the tokens of the minute do, if none are charged meanwhile."""
    month_is_spent: bool = False

    @property
    def is_admitted(self) -> bool:
        """Whether nothing stands in the way."""
        return not (self.requests_wait or self.tokens_wait or self.month_is_spent)


class LimitStore(Protocol):
    """Counts requests and tokens. The limits it is given have no zeros.

    Every method raises StorageError when the store cannot be reached.
    """

    async def admit(
        self, key: LimitKey, limits: Limits, month: str, month_tokens: int | None = None
    ) -> Verdict | None:
        """Count one request if `limits` let it through.

        Args:
            key: whose request it is.
            limits: what holds for it now.
            month: the current one, `2026-11`.
            month_tokens: what is known to have been charged in it; taken if the store does not know.

        Returns:
            None if it needs `month_tokens`, and nothing was counted.
        """
        ...

    async def charge(self, key: LimitKey, limits: Limits, month: str, tokens: int) -> Used:
        """Count the tokens that a request really used. `requests` is not looked up."""
        ...

    async def used(self, key: LimitKey, month: str) -> Used:
        """What has been counted; of what no limit counts, 0. Changes nothing."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
