"""The list of requests, newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from tramontane.billing.ledger.row import LedgerRow

Place = tuple[int, str]
"""Of a request in the list: when it came, and its id."""


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """Which requests; None lets all pass."""

    organization_id: str | None = None
    workspace_id: str | None = None
    key_id: str | None = None
    model: str | None = None
    """The id asked or the model that answered."""
    status: str | None = None
    before: Place | None = None
    """Only what is older: the place of the last request of the page before."""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class RequestPage:
    """Some requests, and where the next page begins, if there is one."""

    requests: Sequence[LedgerRow]
    next_before: Place | None
