"""Models that were added to a running server."""

from sqlalchemy import BigInteger, Column, String, Table, Text

from tramontane.storage.tables.schema import metadata

added_models = Table(
    "added_models",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("settings", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""`settings` is JSON: what was said of the model, and no more."""
