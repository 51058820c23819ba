"""The schema, in words that every supported database understands; one file an area.

Ids are UUIDs, in text on our side; times are Unix seconds. A change here needs a migration beside
`migrations/versions/`, and a test compares the two.
"""

from tramontane.storage.tables.accounts import admin_keys, api_keys, organizations, workspaces
from tramontane.storage.tables.limits import limit_overrides
from tramontane.storage.tables.schema import metadata

__all__ = ["admin_keys", "api_keys", "limit_overrides", "metadata", "organizations", "workspaces"]
