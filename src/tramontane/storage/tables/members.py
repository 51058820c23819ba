"""The people of an organization, and what they did in the console."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Uuid

from tramontane.storage.tables.schema import metadata

members = Table(
    "members",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("email", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password", String(255)),
    Column("created_at", BigInteger, nullable=False),
    Column("signed_in_at", BigInteger),
    Column("removed_at", BigInteger),
)
"""`password` is what `accounts.passwords` makes of it; null until the invitation is taken up."""

# Somebody who was removed can be invited again.
_present = members.c.removed_at.is_(None)
Index(
    "uq_members_organization_id_email",
    members.c.organization_id,
    members.c.email,
    unique=True,
    sqlite_where=_present,
    postgresql_where=_present,
)

member_workspaces = Table(
    "member_workspaces",
    metadata,
    Column("member_id", Uuid(as_uuid=False), ForeignKey("members.id"), primary_key=True),
    Column("workspace_id", Uuid(as_uuid=False), ForeignKey("workspaces.id"), primary_key=True),
)
"""What members who are no administrators may see."""

member_invitations = Table(
    "member_invitations",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("member_id", Uuid(as_uuid=False), ForeignKey("members.id"), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False),
)
"""Each lets a member choose a password once, and is deleted when it has."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("organization_id", Uuid(as_uuid=False), nullable=False),
    Column("member_id", Uuid(as_uuid=False)),
    Column("who", String(255), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
)
"""One row for each change that was made in the console. Without a member it was the operator."""
