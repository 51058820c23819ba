"""What accounts are made of. Ids are UUIDs in text, times are Unix seconds."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final, Generic, TypeVar

from tramontane.accounts.keys import ADMIN_PREFIX, API_PREFIX

# Known beforehand, so that two first starts at once make one, and the operator's keys need no look-up.
DEFAULT_ORGANIZATION_ID: Final = "00000000-0000-7000-8000-000000000001"
DEFAULT_WORKSPACE_ID: Final = "00000000-0000-7000-8000-000000000002"
OPERATOR_KEY_ID: Final = "00000000-0000-7000-8000-000000000003"
OPERATOR_ADMIN_KEY_ID: Final = "00000000-0000-7000-8000-000000000004"


@dataclass(frozen=True, slots=True)
class Workspace:
    """What API keys, limits and usage belong to."""

    id: str
    organization_id: str
    name: str
    plan: str
    created_at: int
    archived_at: int | None = None


class KeyStatus(StrEnum):
    """Whether a key opens anything, and why not."""

    active = "active"
    expired = "expired"
    revoked = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """All that is kept of a key; the key itself is not."""

    PREFIX: ClassVar[str]
    NOUN: ClassVar[str]

    id: str
    owner_id: str
    """The workspace of an API key, the organization of an admin key."""
    name: str
    digest: str
    hint: str
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    def status(self, now: float) -> KeyStatus:
        """What it is at the time `now`."""
        if self.revoked_at is not None:
            return KeyStatus.revoked
        if self.expires_at is not None and self.expires_at <= now:
            return KeyStatus.expired
        return KeyStatus.active

    def is_valid(self, now: float) -> bool:
        """Whether it opens anything at the time `now`."""
        return self.status(now) is KeyStatus.active


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(Key):
    """Opens the models, in the name of a workspace."""

    PREFIX = API_PREFIX
    NOUN = "API key"

    @property
    def workspace_id(self) -> str:
        """Whose key it is."""
        return self.owner_id


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminKey(Key):
    """Opens the admin API of an organization, and nothing else."""

    PREFIX = ADMIN_PREFIX
    NOUN = "admin key"


AnyKey = TypeVar("AnyKey", bound=Key)
AnyKey_co = TypeVar("AnyKey_co", bound=Key, covariant=True)


@dataclass(frozen=True, slots=True)
class NewKey(Generic[AnyKey_co]):
    """A key that was made just now: the only moment at which its text exists."""

    key: str
    record: AnyKey_co

    def __repr__(self) -> str:
        return f"NewKey({self.record.hint})"


class Role(StrEnum):
    """What a member of an organization may do in its console."""

    admin = "admin"
    """Everything."""
    member = "member"
    """Use the workspaces that they are given: their playground, keys, usage, requests and limits."""


@dataclass(frozen=True, slots=True)
class Member:
    """A person of an organization."""

    id: str
    organization_id: str
    email: str
    name: str
    role: Role
    created_at: int
    signed_in_at: int | None = None
    has_password: bool = False
    """They have taken up their invitation."""
    workspace_ids: frozenset[str] = frozenset()
    """What they are given; administrators need none."""


@dataclass(frozen=True, slots=True)
class NewMember:
    """Somebody who was invited just now: the only moment at which the token exists."""

    token: str = field(repr=False)
    member: Member
