"""The figures of workspaces as administration shows and changes them."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from tramontane.errors import InvalidRequestError, NotFoundError
from tramontane.limits import repository
from tramontane.limits.entities import WorkspaceLimits
from tramontane.limits.figures import Changes, Limits, Override
from tramontane.storage.database import Database


class OverrideService:
    """Who may change what is decided elsewhere."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, workspace_id: str) -> WorkspaceLimits:
        """What is set for the workspace.

        Raises:
            NotFoundError: there is no such workspace.
        """
        async with self._database.snapshot() as connection:
            return _existing(await repository.get_limits(connection, workspace_id), workspace_id)

    async def get_many(self, workspace_ids: Collection[str]) -> Mapping[str, WorkspaceLimits]:
        """What is set for these workspaces, as far as there are such."""
        async with self._database.snapshot() as connection:
            return await repository.get_limits_of(connection, workspace_ids)

    async def change(self, workspace_id: str, model: str | None, changes: Changes) -> WorkspaceLimits:
        """Change some figures for one model, or for all: None gives a figure back to the plan.

        Takes effect in every process at once.

        Args:
            workspace_id: whose.
            model: id of a model that serves, or None for all that have no figure of their own.
            changes: the figures to change; the others stay.

        Returns:
            What is set then.

        Raises:
            NotFoundError: there is no such workspace.
            InvalidRequestError: a burst that is larger than the requests of a minute; nothing is changed.
        """
        async with self._database.transaction(announces=True) as connection:
            found = await repository.get_limits(connection, workspace_id, for_update=True)
            before = _existing(found, workspace_id)
            override = replace(before.overrides.get(model, Override()), **changes)
            await repository.set_override(connection, workspace_id, model, override)
            after = _existing(await repository.get_limits(connection, workspace_id), workspace_id)
            _check_burst(override, after.of(model))
        return after


def _existing(found: WorkspaceLimits | None, workspace_id: str) -> WorkspaceLimits:
    if found is None:
        raise NotFoundError(f"There is no workspace {workspace_id!r}")
    return found


def _check_burst(override: Override, limits: Limits) -> None:
    if override.burst is None:
        return
    if limits.requests is None:
        raise InvalidRequestError("burst limits nothing where requests_per_minute is unlimited")
    if override.burst > limits.requests.per_minute:
        raise InvalidRequestError(
            f"burst must be at most requests_per_minute, {limits.requests.per_minute}, got {override.burst}"
        )
