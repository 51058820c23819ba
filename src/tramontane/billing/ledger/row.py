"""A row of the ledger."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tramontane.billing.entities import Cost, Outcome, Reservation
from tramontane.core.money import Price, cost
from tramontane.core.usage import Usage

MAX_METADATA: Final = 4096
"""Characters of JSON."""
_MAX_MODEL_ID: Final = 255
_MAX_ERROR_CODE: Final = 64


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """All that is kept of a request; the fields are the columns."""

    request_id: str
    created_at: int
    organization_id: str
    workspace_id: str
    key_id: str
    endpoint: str
    stream: bool
    model_asked: str
    model_served: str
    status: str
    error_code: str | None
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    input_price: Decimal | None
    cached_input_price: Decimal | None
    output_price: Decimal | None
    cost: Decimal | None
    hosted_cost: Decimal | None
    first_token_ms: int | None
    duration_ms: int
    metadata: str | None


def cost_of(reservation: Reservation, usage: Usage) -> Cost:
    """What the usage costs at the prices of the reservation."""
    return Cost(_cost(reservation.price, usage), _cost(reservation.hosted_price, usage))


def ledger_row(reservation: Reservation, outcome: Outcome, charged: Cost) -> LedgerRow:
    """The row of a request that has ended. No text in it can be one that a database would refuse."""
    request, usage, price = reservation.request, outcome.usage, reservation.price
    first = outcome.time_to_first_token
    return LedgerRow(
        request_id=request.request_id,
        created_at=request.created,
        organization_id=request.principal.organization_id,
        workspace_id=request.principal.workspace_id,
        key_id=request.principal.key_id,
        endpoint=request.endpoint,
        stream=request.stream,
        model_asked=_storable(request.model_asked, _MAX_MODEL_ID),
        model_served=_storable(request.model_served, _MAX_MODEL_ID),
        status=outcome.status,
        error_code=None if outcome.error_code is None else _storable(outcome.error_code, _MAX_ERROR_CODE),
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        input_price=None if price is None else price.input,
        cached_input_price=None if price is None else price.cached_input,
        output_price=None if price is None else price.output,
        cost=charged.amount,
        hosted_cost=charged.hosted,
        first_token_ms=None if first is None else round(first * 1000),
        duration_ms=round(outcome.duration * 1000),
        metadata=None if request.metadata is None else _metadata(request.metadata),
    )


def _cost(price: Price | None, usage: Usage) -> Decimal | None:
    return None if price is None else cost(price, usage)


def _storable(text: str, length: int) -> str:
    """Without what PostgreSQL cannot hold: the NUL character and half surrogates."""
    return text[:length].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _metadata(metadata: Mapping[str, Any]) -> str:
    text = json.dumps(metadata, separators=(",", ":"), default=str)  # ASCII: what is odd is escaped
    if len(text) <= MAX_METADATA:
        return text
    return json.dumps({"omitted": f"{len(text)} characters, of which at most {MAX_METADATA} are kept"})
