"""The schema, in words that every supported database understands; one file an area.

Ids are UUIDs, in text on our side; times are Unix seconds. A change here needs a migration beside
`migrations/versions/`, and a test compares the two.
"""

from tramontane.storage.tables.accounts import admin_keys, api_keys, organizations, workspaces
from tramontane.storage.tables.billing import (
    ledger,
    price_overrides,
    reservation_holders,
    reservations,
    spending,
    spending_limits,
    usage_daily,
)
from tramontane.storage.tables.console import console_links, console_sessions
from tramontane.storage.tables.limits import limit_overrides
from tramontane.storage.tables.members import audit_log, member_invitations, member_workspaces, members
from tramontane.storage.tables.models import added_models
from tramontane.storage.tables.schema import metadata
from tramontane.storage.tables.transcripts import transcripts

__all__ = [
    "added_models",
    "admin_keys",
    "api_keys",
    "audit_log",
    "console_links",
    "console_sessions",
    "ledger",
    "limit_overrides",
    "member_invitations",
    "member_workspaces",
    "members",
    "metadata",
    "organizations",
    "price_overrides",
    "reservation_holders",
    "reservations",
    "spending",
    "spending_limits",
    "transcripts",
    "usage_daily",
    "workspaces",
]
