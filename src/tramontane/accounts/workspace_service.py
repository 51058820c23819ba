"""Workspaces: made, renamed, moved to another plan, archived. Who may do so is decided elsewhere."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from tramontane.accounts import repository
from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID, Workspace
from tramontane.accounts.names import as_id, checked_name
from tramontane.core.clock import Clock
from tramontane.core.ids import uuid7
from tramontane.errors import ConflictError, InvalidRequestError, NotFoundError
from tramontane.settings import Plan
from tramontane.storage.database import Database
from tramontane.storage.listing import Listed, Part


class WorkspaceService:
    """All that is done with the workspaces of an organization.

    Every change is announced, so that it holds at once in every process.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self, organization_id: str) -> Sequence[Workspace]:
        """The workspaces of the organization, the archived ones too, oldest first."""
        async with self._database.snapshot() as connection:
            return await repository.list_workspaces(connection, organization_id)

    async def page(self, organization_id: str, part: Part, *, archived: bool = True) -> Listed[Workspace]:
        """A part of the same list; without the archived ones unless they are asked for."""
        async with self._database.snapshot() as connection:
            return await repository.page_workspaces(connection, organization_id, part, archived=archived)

    async def get(self, organization_id: str, workspace_id: str) -> Workspace:
        """The workspace with this id.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.snapshot() as connection:
            return await _existing(connection, organization_id, workspace_id)

    async def find(self, organization_id: str, reference: str) -> Workspace:
        """The workspace with this id, or else the one with this name: one in use before an archived one.

        Raises:
            NotFoundError: there is none.
            ConflictError: several archived ones have the name; says their ids.
        """
        found = await self.list(organization_id)
        if workspace_id := as_id(reference):
            named = [workspace for workspace in found if workspace.id == workspace_id]
        else:
            named = [workspace for workspace in found if workspace.name == reference]
        candidates = [workspace for workspace in named if workspace.archived_at is None] or named
        if not candidates:
            raise _not_found(reference)
        if len(candidates) > 1:
            ids = ", ".join(workspace.id for workspace in candidates)
            raise ConflictError(f"Several archived workspaces are {reference!r}: say which by id: {ids}")
        return candidates[0]

    async def create(self, organization_id: str, name: str, plan: str) -> Workspace:
        """A new workspace; the organization exists.

        Raises:
            InvalidRequestError: the name cannot be, or there is no such plan.
            ConflictError: another workspace has the name.
        """
        workspace = Workspace(
            id=str(uuid7()),
            organization_id=organization_id,
            name=checked_name(name),
            plan=_checked_plan(plan),
            created_at=int(self._clock.now()),
        )
        async with self._database.transaction(announces=True) as connection:
            if not await repository.add_workspace(connection, workspace):
                raise _name_taken(workspace.name)
        return workspace

    async def rename(self, organization_id: str, workspace_id: str, name: str) -> Workspace:
        """Give it another name.

        Raises:
            NotFoundError, ConflictError, InvalidRequestError: as for `create`; or it is archived.
        """
        return await self.change(organization_id, workspace_id, name=name)

    async def set_plan(self, organization_id: str, workspace_id: str, plan: str) -> Workspace:
        """Move it to another plan.

        Raises:
            NotFoundError, ConflictError, InvalidRequestError: as for `create`; or it is archived.
        """
        return await self.change(organization_id, workspace_id, plan=plan)

    async def change(
        self, organization_id: str, workspace_id: str, *, name: str | None = None, plan: str | None = None
    ) -> Workspace:
        """Change what is given, all or nothing.

        Raises:
            NotFoundError, ConflictError, InvalidRequestError: as for `create`; or it is archived.
        """
        name = None if name is None else checked_name(name)
        plan = None if plan is None else _checked_plan(plan)
        async with self._database.transaction(announces=True) as connection:
            workspace = await _existing(connection, organization_id, workspace_id, for_update=True)
            if workspace.archived_at is not None:
                raise ConflictError(f"The workspace {workspace.name!r} is archived")
            workspace = replace(workspace, name=name or workspace.name, plan=plan or workspace.plan)
            if not await repository.change_workspace(
                connection, workspace.id, name=workspace.name, plan=workspace.plan
            ):
                raise _name_taken(workspace.name)
        return workspace

    async def archive(self, organization_id: str, workspace_id: str) -> Workspace:
        """Revoke its keys and give its name free. Nothing is deleted; one that is archived stays as it is.

        Raises:
            NotFoundError: there is no such workspace.
            ConflictError: it is the default workspace, which every server needs.
        """
        async with self._database.transaction(announces=True) as connection:
            workspace = await _existing(connection, organization_id, workspace_id, for_update=True)
            if workspace.id == DEFAULT_WORKSPACE_ID:
                raise ConflictError("The default workspace cannot be archived: revoke its keys instead")
            if workspace.archived_at is not None:
                return workspace
            now = int(self._clock.now())
            await repository.change_workspace(connection, workspace.id, archived_at=now)
            await repository.revoke_keys_of_workspace(connection, workspace.id, now)
        return replace(workspace, archived_at=now)


async def _existing(
    connection: AsyncConnection, organization_id: str, workspace_id: str, *, for_update: bool = False
) -> Workspace:
    known_id = as_id(workspace_id)
    workspace = known_id and await repository.get_workspace(connection, known_id, for_update=for_update)
    if not workspace or workspace.organization_id != organization_id:
        raise _not_found(workspace_id)
    return workspace


def _checked_plan(plan: str) -> str:
    plans = get_args(Plan)
    if plan not in plans:
        raise InvalidRequestError(f"There is no plan {plan!r}; there are {', '.join(plans)}")
    return plan


def _not_found(reference: str) -> NotFoundError:
    return NotFoundError(f"There is no workspace {reference!r}")


def _name_taken(name: str) -> ConflictError:
    return ConflictError(f"Another workspace has the name {name!r}")
