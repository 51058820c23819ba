"""The text of requests, where keeping it is switched on. It is deleted, the ledger never is."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, Uuid

from tramontane.storage.tables.schema import metadata

transcripts = Table(
    "transcripts",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("organization_id", Uuid(as_uuid=False), nullable=False),
    Column("workspace_id", Uuid(as_uuid=False), nullable=False),
    Column("request", Text, nullable=False),
    Column("answers", Text, nullable=False),
    Index("ix_transcripts_created_at", "created_at"),
)
"""`request` and `answers` are JSON, without characters that are not ASCII."""
