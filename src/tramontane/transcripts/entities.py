"""What is kept of a request's text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tramontane.core.principal import Principal
from tramontane.schemas.base import WireModel


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of one request and of its answers.

    Both are JSON, cut to the bounds of `shortening`: `request` as it was validated, without images and audio;
    of `answers` each an object with `text`, and `thought`, `tool_calls` and `finish_reason` where there are.
    """

    request_id: str
    """Of its row in the ledger."""
    created_at: int
    organization_id: str
    workspace_id: str
    request: Mapping[str, Any]
    answers: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Said:
    """A request that is over and its answers, not shortened yet."""

    request_id: str
    created_at: int
    principal: Principal
    request: WireModel
    answers: Sequence[Mapping[str, Any]]
    """As in `Transcript`."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long transcripts are kept, and how many: whichever is over first."""

    days: int
    count: int
