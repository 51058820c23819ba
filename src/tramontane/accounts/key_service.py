"""Keys of both kinds: made, listed, rotated, revoked. Who may do so is decided elsewhere."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.accounts import keys, repository
from tramontane.accounts.entities import AdminKey, AnyKey, ApiKey, KeyStatus, NewKey
from tramontane.accounts.names import as_id, checked_name
from tramontane.core.clock import Clock
from tramontane.core.ids import uuid7
from tramontane.errors import ConflictError, InvalidRequestError, NotFoundError
from tramontane.storage.database import Database
from tramontane.storage.listing import Listed, Part

DEFAULT_GRACE_SECONDS: Final = 24 * 60 * 60
"""How long a rotated key goes on unless somebody chooses."""


class KeyService:
    """All that is done with the keys of an organization; `kind` is ApiKey or AdminKey.

    Every change is announced, so that it holds at once in every process.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(
        self, kind: type[AnyKey], organization_id: str, workspace_id: str | None = None
    ) -> Sequence[AnyKey]:
        """The keys of the organization or of one of its workspaces, the ended ones too, oldest first."""
        async with self._database.snapshot() as connection:
            found = await repository.list_keys(connection, kind, organization_id)
        return [key for key in found if workspace_id in {None, key.owner_id}]

    async def page(
        self,
        kind: type[AnyKey],
        organization_id: str,
        part: Part,
        workspace_ids: Collection[str] | None = None,
    ) -> Listed[AnyKey]:
        """A part of the same list: keys of all workspaces, or of some."""
        async with self._database.snapshot() as connection:
            return await repository.page_keys(connection, kind, organization_id, part, workspace_ids)

    async def count_valid(self, workspace_ids: Collection[str]) -> Mapping[str, int]:
        """How many API keys of each workspace open something; without those that have none."""
        async with self._database.snapshot() as connection:
            return await repository.count_valid_keys(connection, workspace_ids, int(self._clock.now()))

    async def names(self, key_ids: Collection[str]) -> Mapping[str, str]:
        """Names of API keys by id, as far as there are such keys."""
        async with self._database.snapshot() as connection:
            return await repository.key_names(connection, key_ids)

    async def get(self, kind: type[AnyKey], organization_id: str, key_id: str) -> AnyKey:
        """The key with this id.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.snapshot() as connection:
            return await _existing(connection, kind, organization_id, key_id)

    async def find(
        self,
        kind: type[AnyKey],
        organization_id: str,
        reference: str,
        workspace_id: str | None = None,
    ) -> AnyKey:
        """The key with this id, or else the one active key with this name or hint.

        Raises:
            NotFoundError: there is none.
            ConflictError: several active keys have the name; says their ids.
        """
        found = await self.list(kind, organization_id, workspace_id)
        if key_id := as_id(reference):
            named = [key for key in found if key.id == key_id]
        else:
            named = [key for key in found if reference in {key.name, key.hint}]
        now = self._clock.now()
        # A name that was used again means the key that still works.
        candidates = [key for key in named if key.is_valid(now)] or named
        if not candidates:
            raise NotFoundError(f"There is no {kind.NOUN} {reference!r}")
        if len(candidates) > 1:
            ids = ", ".join(key.id for key in candidates)
            raise ConflictError(f"{len(candidates)} keys have the name {reference!r}: say which by id: {ids}")
        return candidates[0]

    async def create_api_key(
        self, organization_id: str, workspace_id: str, name: str, expires_at: int | None = None
    ) -> NewKey[ApiKey]:
        """A new key of the workspace.

        Raises:
            NotFoundError: the organization has no such workspace.
            ConflictError: the workspace is archived.
            InvalidRequestError: the name or the expiry cannot be.
        """
        new = self._new(ApiKey, workspace_id, name, expires_at)
        async with self._database.transaction(announces=True) as connection:
            known_id = as_id(workspace_id)
            workspace = known_id and await repository.get_workspace(connection, known_id, for_update=True)
            if not workspace or workspace.organization_id != organization_id:
                raise NotFoundError(f"There is no workspace {workspace_id!r}")
            if workspace.archived_at is not None:
                raise ConflictError(f"The workspace {workspace.name!r} is archived: it takes no new keys")
            await repository.add_key(connection, new.record)
        return new

    async def create_admin_key(
        self, organization_id: str, name: str, expires_at: int | None = None
    ) -> NewKey[AdminKey]:
        """A new admin key of the organization.

        Raises:
            InvalidRequestError: the name or the expiry cannot be.
        """
        new = self._new(AdminKey, organization_id, name, expires_at)
        async with self._database.transaction(announces=True) as connection:
            await repository.add_key(connection, new.record)
        return new

    async def rotate(
        self,
        kind: type[AnyKey],
        organization_id: str,
        key_id: str,
        *,
        grace_seconds: int = DEFAULT_GRACE_SECONDS,
        expires_at: int | None = None,
    ) -> NewKey[AnyKey]:
        """A new key in the place of an active one, with its name and owner.

        Args:
            kind: of the key.
            organization_id: whose key it is.
            key_id: the old one.
            grace_seconds: how long the old one goes on, though not beyond its own expiry; with 0 it is
                revoked at once.
            expires_at: of the new one; else it lives as long from now as the old one from its creation.

        Raises:
            NotFoundError: there is no such key.
            ConflictError: it has ended already.
            InvalidRequestError: the expiry is past.
        """
        async with self._database.transaction(announces=True) as connection:
            old = await _existing(connection, kind, organization_id, key_id, for_update=True)
            now = int(self._clock.now())
            if (status := old.status(now)) is not KeyStatus.active:
                raise ConflictError(f"The {kind.NOUN} {old.name!r} is {status}: create a new one")
            if expires_at is None and old.expires_at is not None:
                expires_at = now + old.expires_at - old.created_at
            new = self._new(kind, old.owner_id, old.name, expires_at)
            await repository.add_key(connection, new.record)
            if grace_seconds <= 0:
                await repository.end_key(connection, old, expires_at=old.expires_at, revoked_at=now)
            else:
                ends = min(now + grace_seconds, old.expires_at or now + grace_seconds)
                await repository.end_key(connection, old, expires_at=ends, revoked_at=None)
        return new

    async def revoke(self, kind: type[AnyKey], organization_id: str, key_id: str) -> AnyKey:
        """End the key now; one that is revoked already stays as it is.

        Raises:
            NotFoundError: there is no such key.
        """
        async with self._database.transaction(announces=True) as connection:
            key = await _existing(connection, kind, organization_id, key_id, for_update=True)
            if key.revoked_at is not None:
                return key
            revoked_at = int(self._clock.now())
            await repository.end_key(connection, key, expires_at=key.expires_at, revoked_at=revoked_at)
        return replace(key, revoked_at=revoked_at)

    def _new(self, kind: type[AnyKey], owner_id: str, name: str, expires_at: int | None) -> NewKey[AnyKey]:
        now = int(self._clock.now())
        if expires_at is not None and expires_at <= now:
            raise InvalidRequestError("expires_at must be in the future")
        return new_key(kind, owner_id, checked_name(name), now, expires_at)


async def _existing(
    connection: AsyncConnection,
    kind: type[AnyKey],
    organization_id: str,
    key_id: str,
    *,
    for_update: bool = False,
) -> AnyKey:
    known_id = as_id(key_id)
    key = known_id and await repository.get_key(
        connection, kind, organization_id, known_id, for_update=for_update
    )
    if not key:
        raise NotFoundError(f"There is no {kind.NOUN} {key_id!r}")
    return key


def new_key(
    kind: type[AnyKey], owner_id: str, name: str, now: int, expires_at: int | None = None
) -> NewKey[AnyKey]:
    """A key that is not stored yet."""
    text = keys.generate_key(kind.PREFIX)
    record = kind(
        id=str(uuid7()),
        owner_id=owner_id,
        name=name,
        digest=keys.digest(text),
        hint=keys.hint(text),
        created_at=now,
        expires_at=expires_at,
    )
    return NewKey(text, record)
