"""The tables of prices, the ledger and spending limits.

Nothing here refers to a workspace or a key by foreign key: what was billed stays billed when they are gone.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
)

from tramontane.storage.tables.schema import metadata
from tramontane.storage.types import Nanodollars

_MODEL_ID = String(255)

ledger = Table(
    "ledger",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("organization_id", Uuid(as_uuid=False), nullable=False),
    Column("workspace_id", Uuid(as_uuid=False), nullable=False),
    Column("key_id", Uuid(as_uuid=False), nullable=False),
    Column("endpoint", String(16), nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("model_asked", _MODEL_ID, nullable=False),
    Column("model_served", _MODEL_ID, nullable=False),
    Column("status", String(16), nullable=False),
    Column("error_code", String(64)),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("input_price", Nanodollars),
    Column("cached_input_price", Nanodollars),
    Column("output_price", Nanodollars),
    Column("cost", Nanodollars),
    Column("hosted_cost", Nanodollars),
    Column("first_token_ms", BigInteger),
    Column("duration_ms", BigInteger, nullable=False),
    Column("metadata", Text),
    Index("ix_ledger_created_at_request_id", "created_at", "request_id"),
    Index("ix_ledger_workspace_id_created_at_request_id", "workspace_id", "created_at", "request_id"),
)
"""One row a request, never changed: triggers of the migration see to it. Without a price, `cost` is null."""

usage_daily = Table(
    "usage_daily",
    metadata,
    Column("day", Date, nullable=False),
    Column("workspace_id", Uuid(as_uuid=False), nullable=False),
    Column("key_id", Uuid(as_uuid=False), nullable=False),
    Column("model_asked", _MODEL_ID, nullable=False),
    Column("model_served", _MODEL_ID, nullable=False),
    Column("organization_id", Uuid(as_uuid=False), nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost", Nanodollars, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    Column("hosted_cost", Nanodollars, nullable=False),
    Column("hosted_unpriced", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "workspace_id", "key_id", "model_asked", "model_served"),
)
"""The sums of the ledger's rows by UTC day, written in their transactions."""

spending_limits = Table(
    "spending_limits",
    metadata,
    Column("scope_id", Uuid(as_uuid=False), primary_key=True),
    Column("scope", String(16), nullable=False),
    Column("amount", Nanodollars, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
"""What a workspace or an organization may spend in a calendar month (UTC)."""

spending = Table(
    "spending",
    metadata,
    Column("scope_id", Uuid(as_uuid=False), nullable=False),
    Column("month", Date, nullable=False),
    Column("spent", Nanodollars, nullable=False),
    Column("reserved", Nanodollars, nullable=False),
    PrimaryKeyConstraint("scope_id", "month"),
)
"""What a workspace or an organization has spent in a month, and what its running requests may yet cost."""

reservations = Table(
    "reservations",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("holder_id", Uuid(as_uuid=False), nullable=False, index=True),
    Column("organization_id", Uuid(as_uuid=False), nullable=False),
    Column("workspace_id", Uuid(as_uuid=False), nullable=False),
    Column("month", Date, nullable=False),
    Column("amount", Nanodollars, nullable=False),
)
"""The worst case of each running request under a spending limit: the parts of `spending.reserved`."""

reservation_holders = Table(
    "reservation_holders",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("beat", BigInteger, nullable=False),
)
"""Processes that hold reservations. Whose `beat` no longer changes is dead."""

price_overrides = Table(
    "price_overrides",
    metadata,
    Column("workspace_id", Uuid(as_uuid=False), nullable=False),
    Column("model", _MODEL_ID, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("input_price", Nanodollars),
    Column("cached_input_price", Nanodollars),
    Column("output_price", Nanodollars),
    PrimaryKeyConstraint("workspace_id", "model", "valid_from"),
)
"""The operator's prices, each until the next one of the same model begins; without figures, it takes back.

The nil UUID as workspace means all of them.
"""
