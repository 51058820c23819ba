"""What accounts are made of. Ids are UUIDs in text, times are Unix seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workspace:
    """What keys, limits and usage belong to."""

    id: str
    organization_id: str
    name: str
    plan: str
    created_at: int
    archived_at: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """All that is kept of a key; the key itself is not."""

    id: str
    workspace_id: str
    name: str
    digest: str
    hint: str
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    def is_valid(self, now: float) -> bool:
        """Whether it opens anything at the time `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made just now: the only moment at which its text exists."""

    key: str
    record: ApiKey

    def __repr__(self) -> str:
        return f"NewKey({self.record.hint})"
