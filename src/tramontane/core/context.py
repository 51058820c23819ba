"""One request, from its arrival to its last byte."""

from dataclasses import dataclass, field
from typing import Final

from tramontane.core.principal import Principal

MODEL_HEADER: Final = "x-tramontane-model"
"""Names the model that really answered, whatever id it was asked for under."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What every stage may need to know of the request it works for."""

    request_id: str
    """32 hex digits: the `id` of the answer, and the key of its row in the ledger."""
    principal: Principal
    created: int
    """Unix seconds."""
    arrived_at: float = 0.0
    """By the monotonic clock, in seconds."""
    headers: dict[str, str] = field(default_factory=dict, compare=False)
    """Of the answer: the stages add what they have to say. A stream's are sent with its first event."""
