"""What of the organization a viewer may see."""

from collections.abc import Mapping

from starlette.requests import Request

from tramontane.accounts.entities import OPERATOR_ADMIN_KEY_ID, OPERATOR_KEY_ID, Workspace
from tramontane.console.handover import CONSOLE_KEY_ID
from tramontane.console.parts import Parts
from tramontane.console.viewer import viewer_of
from tramontane.errors import NotFoundError, PermissionDeniedError


async def workspaces_of(request: Request, parts: Parts) -> list[Workspace]:
    """Those that the viewer may see, the archived ones too, oldest first.

    Raises:
        PermissionDeniedError: there is none.
    """
    viewer = viewer_of(request)
    found = await parts.workspaces.list(viewer.organization_id)
    seen = [workspace for workspace in found if viewer.sees(workspace.id)]
    if not seen:
        raise PermissionDeniedError("You have no workspace yet: ask an administrator of the console for one.")
    return seen


async def workspace_of(request: Request, parts: Parts, workspace_id: str) -> Workspace:
    """The workspace with this id.

    Raises:
        NotFoundError: there is none that the viewer may see.
    """
    viewer = viewer_of(request)
    workspace = await parts.workspaces.get(viewer.organization_id, workspace_id)
    if not viewer.sees(workspace.id):
        raise NotFoundError(f"There is no workspace {workspace_id!r}")
    return workspace


async def names_of_keyless(request: Request, parts: Parts) -> Mapping[str, str]:
    """Names by the ids that stand in the ledger where no key of a table was used."""
    members = await parts.members.list(viewer_of(request).organization_id)
    return {
        OPERATOR_KEY_ID: "operator's API key",
        OPERATOR_ADMIN_KEY_ID: "operator's admin key",
        CONSOLE_KEY_ID: "playground",
        **{member.id: f"playground: {member.name}" for member in members},
    }
