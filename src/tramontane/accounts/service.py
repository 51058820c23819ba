"""Workspaces and keys: the default ones of the first start, and whose key a request carries."""

import hmac
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.accounts import keys, repository
from tramontane.accounts.cache import ExpiringCache
from tramontane.accounts.entities import ApiKey, NewKey, Workspace
from tramontane.core.clock import Clock
from tramontane.core.ids import uuid7
from tramontane.core.principal import Principal
from tramontane.errors import AuthenticationError
from tramontane.storage.database import Database

# Known beforehand, so that two first starts at once make one, and the operator's key needs no look-up.
DEFAULT_ORGANIZATION_ID: Final = "00000000-0000-7000-8000-000000000001"
DEFAULT_WORKSPACE_ID: Final = "00000000-0000-7000-8000-000000000002"
OPERATOR_KEY_ID: Final = "00000000-0000-7000-8000-000000000003"

_CACHE_SIZE: Final = 4096
_CACHE_SECONDS: Final = 5.0
"""How long another process's revocation may take to be felt."""


class AccountsService:
    """All that is done with workspaces and keys.

    `operator_key` opens the default workspace while this service lives. It is held in memory, never stored.
    """

    def __init__(self, database: Database, clock: Clock, operator_key: str | None = None) -> None:
        self._database = database
        self._clock = clock
        self._operator_digest = None if operator_key is None else keys.digest(operator_key)
        self._known: ExpiringCache[tuple[ApiKey, str]] = ExpiringCache(clock, _CACHE_SIZE, _CACHE_SECONDS)

    async def ensure_default(self, plan: str) -> NewKey | None:
        """Make the default workspace, put it on `plan`, make its first key unless the operator has set one.

        Returns:
            The key if it was made by this very call: nobody can read it again.
        """
        async with self._database.transaction() as connection:
            workspace = await self._default_workspace(connection, plan)
            if workspace.plan != plan:
                await repository.set_plan(connection, workspace.id, plan)
            if self._operator_digest or await repository.list_keys(connection, workspace.id):
                return None
            new = self._new_key(workspace.id, name="First key")
            await repository.add_key(connection, new.record)
        return new

    async def default_key(self) -> ApiKey | None:
        """The oldest key of the default workspace that still opens it."""
        async with self._database.snapshot() as connection:
            found = await repository.list_keys(connection, DEFAULT_WORKSPACE_ID)
        now = self._clock.now()
        return next((key for key in found if key.is_valid(now)), None)

    async def authenticate(self, key: str) -> Principal:
        """Whose key it is.

        Raises:
            AuthenticationError: nobody's, or no longer. It does not say which.
            StorageError: the database cannot be asked.
        """
        digest = keys.digest(key)
        if self._operator_digest and hmac.compare_digest(digest, self._operator_digest):
            return Principal(DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, OPERATOR_KEY_ID)
        if not keys.is_well_formed(key):
            raise AuthenticationError
        found = self._known.get(digest) or await self._look_up(digest)
        if found is None or not found[0].is_valid(self._clock.now()):
            raise AuthenticationError
        record, organization_id = found
        return Principal(organization_id, record.workspace_id, record.id)

    async def _look_up(self, digest: str) -> tuple[ApiKey, str] | None:
        async with self._database.snapshot() as connection:
            found = await repository.get_key(connection, digest)
        if found is not None:
            self._known.put(digest, found)
        return found

    async def _default_workspace(self, connection: AsyncConnection, plan: str) -> Workspace:
        now = int(self._clock.now())
        workspace = await repository.get_workspace(connection, DEFAULT_WORKSPACE_ID, for_update=True)
        if workspace is not None:
            return workspace
        if not await repository.add_organization(connection, DEFAULT_ORGANIZATION_ID, "Default", now):
            workspace = await repository.get_workspace(connection, DEFAULT_WORKSPACE_ID, for_update=True)
        if workspace is not None:
            return workspace
        workspace = Workspace(DEFAULT_WORKSPACE_ID, DEFAULT_ORGANIZATION_ID, "Default", plan, now)
        await repository.add_workspace(connection, workspace)
        return workspace

    def _new_key(self, workspace_id: str, name: str) -> NewKey:
        key = keys.generate_key()
        return NewKey(
            key,
            ApiKey(
                id=str(uuid7()),
                workspace_id=workspace_id,
                name=name,
                digest=keys.digest(key),
                hint=keys.hint(key),
                created_at=int(self._clock.now()),
            ),
        )
