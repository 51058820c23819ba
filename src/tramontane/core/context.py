"""One request, from its arrival to its last byte."""

from dataclasses import dataclass

from tramontane.core.principal import Principal


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What every stage may need to know of the request it works for."""

    request_id: str
    """32 hex digits: the `id` of the answer, and later the key of the ledger."""
    principal: Principal
    created: int
    """Unix seconds."""
