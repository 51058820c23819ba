"""Who is signed in to the console. Only digests: whoever reads the database can sign in nowhere."""

from sqlalchemy import BigInteger, Column, String, Table, Uuid

from tramontane.storage.tables.schema import metadata

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("member_id", Uuid(as_uuid=False)),
)
"""Without a member it is the operator's."""

console_links = Table(
    "console_links",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)
"""Each signs in once, and is deleted when it has."""
