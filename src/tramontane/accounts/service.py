"""Whose key a request carries, and the workspace and key of the first start."""

import hmac
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.accounts import keys, repository
from tramontane.accounts.entities import (
    DEFAULT_ORGANIZATION_ID,
    DEFAULT_WORKSPACE_ID,
    OPERATOR_ADMIN_KEY_ID,
    OPERATOR_KEY_ID,
    AdminKey,
    ApiKey,
    NewKey,
    Workspace,
)
from tramontane.accounts.key_service import new_key
from tramontane.accounts.last_use import LastUse
from tramontane.core.clock import Clock
from tramontane.core.principal import AdminPrincipal, Principal
from tramontane.errors import AuthenticationError, PermissionDeniedError
from tramontane.storage.database import Database
from tramontane.storage.revision_cache import RevisionCache

FIRST_PLAN: Final = "experiment"
"""The plan of the default workspace when nobody chooses."""

_CACHE_SIZE: Final = 4096


class AccountsService:
    """Tells whose key a request carries.

    `operator_key` opens the default workspace while this service lives, `operator_admin_key` the admin API.
    They are held in memory, never stored.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        operator_key: str | None = None,
        operator_admin_key: str | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._operator_digest = None if operator_key is None else keys.digest(operator_key)
        self._operator_admin_digest = None if operator_admin_key is None else keys.digest(operator_admin_key)
        self._known: RevisionCache[str, tuple[ApiKey, str]] = RevisionCache(clock, _CACHE_SIZE)
        self._last_use = LastUse(database, clock)

    def start(self) -> None:
        """From now on write now and then when keys were last used."""
        self._last_use.start()

    async def close(self) -> None:
        """Write when keys were last used."""
        await self._last_use.close()

    async def ensure_default(self, plan: str | None = None) -> NewKey[ApiKey] | None:
        """Make the default workspace, put it on `plan` if one is given, make its first key.

        No key is made if there was one before, or the operator has set one.

        Returns:
            The key if it was made by this very call: nobody can read it again.
        """
        async with self._database.transaction(announces=True) as connection:
            workspace = await _default_workspace(connection, int(self._clock.now()), plan)
            if self._operator_digest or await repository.workspace_has_keys(connection, workspace.id):
                return None
            new = new_key(ApiKey, workspace.id, "First key", int(self._clock.now()))
            await repository.add_key(connection, new.record)
        return new

    async def ensure_default_workspace(self) -> None:
        """Make the default workspace, without a key, unless it is there."""
        async with self._database.snapshot() as connection:
            if await repository.get_workspace(connection, DEFAULT_WORKSPACE_ID) is not None:
                return
        async with self._database.transaction(announces=True) as connection:
            await _default_workspace(connection, int(self._clock.now()), None)

    async def default_workspace(self) -> Workspace:
        """The default workspace, which `ensure_default` has made."""
        async with self._database.snapshot() as connection:
            workspace = await repository.get_workspace(connection, DEFAULT_WORKSPACE_ID)
        assert workspace is not None
        return workspace

    async def default_key(self) -> ApiKey | None:
        """The oldest key of the default workspace that still opens it."""
        async with self._database.snapshot() as connection:
            return await repository.oldest_valid_key(connection, DEFAULT_WORKSPACE_ID, self._clock.now())

    async def authenticate(self, key: str) -> Principal:
        """Whose API key it is.

        Raises:
            AuthenticationError: nobody's, or no longer. It does not say which.
            StorageError: the database cannot be asked.
        """
        digest = keys.digest(key)
        if _is_same(digest, self._operator_digest):
            return Principal(DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, OPERATOR_KEY_ID)
        if not keys.is_well_formed(key):
            raise AuthenticationError
        found = await self._find(digest)
        if found is None or not found[0].is_valid(self._clock.now()):
            raise AuthenticationError
        record, organization_id = found
        self._last_use.note(record)
        return Principal(organization_id, record.workspace_id, record.id)

    async def authenticate_admin(self, key: str) -> AdminPrincipal:
        """Which organization the key may manage.

        Raises:
            AuthenticationError: it is no key, or no longer.
            PermissionDeniedError: it is a valid API key, which opens no admin API.
            StorageError: the database cannot be asked.
        """
        digest = keys.digest(key)
        if _is_same(digest, self._operator_admin_digest):
            return AdminPrincipal(DEFAULT_ORGANIZATION_ID, OPERATOR_ADMIN_KEY_ID)
        if not keys.is_well_formed(key, AdminKey.PREFIX):
            await self.authenticate(key)
            raise PermissionDeniedError("This is an API key. The admin API takes admin keys only.")
        async with self._database.snapshot() as connection:
            record = await repository.find_admin_key(connection, digest)
        if record is None or not record.is_valid(self._clock.now()):
            raise AuthenticationError
        self._last_use.note(record)
        return AdminPrincipal(record.owner_id, record.id)

    async def _find(self, digest: str) -> tuple[ApiKey, str] | None:
        revision = self._database.revision
        known = self._known.get(digest, revision)
        if known is not None:
            return known
        async with self._database.snapshot() as connection:
            found = await repository.find_api_key(connection, digest)
        if found is not None:
            self._known.put(digest, found, revision)
        return found


async def _default_workspace(connection: AsyncConnection, now: int, plan: str | None) -> Workspace:
    """The default workspace, made if it is not there, put on `plan` if one is given."""
    workspace = await repository.get_workspace(connection, DEFAULT_WORKSPACE_ID, for_update=True)
    if workspace is None and await repository.add_organization(
        connection, DEFAULT_ORGANIZATION_ID, "Default", now
    ):
        workspace = Workspace(
            DEFAULT_WORKSPACE_ID, DEFAULT_ORGANIZATION_ID, "Default", plan or FIRST_PLAN, now
        )
        await repository.add_workspace(connection, workspace)
        return workspace
    if workspace is None:  # another process was faster
        workspace = await repository.get_workspace(connection, DEFAULT_WORKSPACE_ID, for_update=True)
    assert workspace is not None
    if plan is not None and workspace.plan != plan:
        await repository.change_workspace(connection, workspace.id, plan=plan)
    return workspace


def _is_same(digest: str, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(digest, expected)
