"""Organizations, their workspaces, and the keys of both."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Uuid

from tramontane.storage.tables.schema import metadata

organizations = Table(
    "organizations",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("plan", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("archived_at", BigInteger),
)

# An archived workspace gives its name back.
_in_use = workspaces.c.archived_at.is_(None)
Index(
    "uq_workspaces_organization_id_name",
    workspaces.c.organization_id,
    workspaces.c.name,
    unique=True,
    sqlite_where=_in_use,
    postgresql_where=_in_use,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("workspace_id", ForeignKey("workspaces.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)

# A table of its own: no mistake in a query can make an admin key open a model, or an API key the admin API.
admin_keys = Table(
    "admin_keys",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)
