"""Limits of workspaces that differ from their plan's."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "limit_overrides",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("burst", sa.BigInteger(), nullable=True),
        sa.Column("tokens_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("tokens_per_month", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "model", name="pk_limit_overrides"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_limit_overrides_workspace_id"),
    )
