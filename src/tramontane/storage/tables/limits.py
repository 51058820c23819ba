"""Figures that workspaces have in the place of their plan's."""

from sqlalchemy import BigInteger, Column, ForeignKey, String, Table, Uuid

from tramontane.storage.tables.schema import metadata

limit_overrides = Table(
    "limit_overrides",
    metadata,
    Column("workspace_id", Uuid(as_uuid=False), ForeignKey("workspaces.id"), primary_key=True),
    Column("model", String(255), primary_key=True),  # empty: all models
    # Null: the plan's; -1: no limit.
    Column("requests_per_minute", BigInteger),
    Column("burst", BigInteger),
    Column("tokens_per_minute", BigInteger),
    Column("tokens_per_month", BigInteger),
)
