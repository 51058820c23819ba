"""The people of the organization: invited, given a role and workspaces, removed."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import NewMember, Role
from tramontane.accounts.members import INVITATION_SECONDS
from tramontane.console.actions import Action
from tramontane.console.audit import name_subject
from tramontane.console.forms import body_of, form_of
from tramontane.console.paging import asked_part, page_of
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page
from tramontane.console.viewer import viewer_of
from tramontane.errors import ApiError, ConflictError

ROLES: Final = {
    Role.member: "uses the workspaces that they are given: playground, keys, usage, requests, limits",
    Role.admin: "does everything, in all workspaces",
}


def routes(parts: Parts) -> Sequence[Action]:
    """The list, a page for each, and what is done with them."""
    actions = _Actions(parts)
    return [
        Action("GET", "/members", actions.show),
        Action("POST", "/members", actions.invite, words="invited"),
        Action("GET", "/members/{member_id}", actions.show_one),
        Action("POST", "/members/{member_id}", actions.change, words="changed the member"),
        Action("POST", "/members/{member_id}/invite", actions.invite_again, words="made a new link for"),
        Action("POST", "/members/{member_id}/remove", actions.remove, words="removed the member"),
    ]


class _Actions:
    """In the name of an administrator."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._members = parts.members

    async def show(self, request: Request) -> Response:
        """The list."""
        return await self._list(request, {}, "")

    async def invite(self, request: Request) -> Response:
        """A new member: the link is shown in the answer and never again."""
        fields = await form_of(request)
        try:
            new = await self._members.invite(
                viewer_of(request).organization_id,
                fields.get("email", ""),
                fields.get("name", ""),
                fields.get("role", ""),
                await _chosen(request),
            )
        except ApiError as error:
            return await self._list(request, fields, error.message, error.status)
        name_subject(request, f"{new.member.name} ({new.member.email}) as {new.member.role.value}")
        return await self._one(request, new.member.id, new=new)

    async def show_one(self, request: Request) -> Response:
        """One member."""
        return await self._one(request, request.path_params["member_id"])

    async def change(self, request: Request) -> Response:
        """Another name, role or other workspaces; they hold with the member's next click."""
        fields = await form_of(request)
        member_id, viewer = request.path_params["member_id"], viewer_of(request)
        try:
            if viewer.member is not None and viewer.member.id == member_id and fields.get("role") != "admin":
                raise ConflictError("You cannot take the role of administrator from yourself: ask another")
            member = await self._members.change(
                viewer.organization_id,
                member_id,
                name=fields.get("name", ""),
                role=fields.get("role", ""),
                workspace_ids=await _chosen(request),
            )
        except ApiError as error:
            return await self._one(request, member_id, problem=error)
        name_subject(request, f"{member.name} ({member.email}) to {member.role.value}")
        return RedirectResponse(f"{PREFIX}/members/{member_id}", status_code=303)

    async def invite_again(self, request: Request) -> Response:
        """Another link to choose a password with, for one that was lost."""
        viewer, member_id = viewer_of(request), request.path_params["member_id"]
        try:
            new = await self._members.invite_again(viewer.organization_id, member_id)
        except ApiError as error:
            return await self._one(request, member_id, problem=error)
        name_subject(request, f"{new.member.name} ({new.member.email})")
        return await self._one(request, member_id, new=new)

    async def remove(self, request: Request) -> Response:
        """End their sessions and their password."""
        viewer, member_id = viewer_of(request), request.path_params["member_id"]
        try:
            if viewer.member is not None and viewer.member.id == member_id:
                raise ConflictError("You cannot remove yourself: ask another administrator")
            removed = await self._members.remove(viewer.organization_id, member_id)
        except ApiError as error:
            return await self._one(request, member_id, problem=error)
        name_subject(request, f"{removed.name} ({removed.email})")
        return RedirectResponse(f"{PREFIX}/members", status_code=303)

    async def _list(
        self, request: Request, fields: Mapping[str, str], problem: str, status: int = 200
    ) -> Response:
        organization_id = viewer_of(request).organization_id
        found = await self._members.page(organization_id, asked_part(request))
        workspaces = await self._parts.workspaces.list(organization_id)
        values = {
            "members": page_of(request, found),
            "names": {workspace.id: workspace.name for workspace in workspaces},
            "workspaces": [workspace for workspace in workspaces if workspace.archived_at is None],
            "roles": ROLES,
            "fields": fields,
            "now": self._parts.clock.now(),
            "problem": problem,
        }
        return page(request, "members.html", values, status)

    async def _one(
        self,
        request: Request,
        member_id: str,
        *,
        new: NewMember | None = None,
        problem: ApiError | None = None,
    ) -> Response:
        organization_id = viewer_of(request).organization_id
        workspaces = await self._parts.workspaces.list(organization_id)
        link = f"{str(request.base_url).rstrip('/')}{PREFIX}/welcome?token={new.token}" if new else ""
        values = {
            "member": await self._members.get(organization_id, member_id),
            "workspaces": [workspace for workspace in workspaces if workspace.archived_at is None],
            "roles": ROLES,
            "link": link,
            "link_days": INVITATION_SECONDS // (24 * 3600),
            "now": self._parts.clock.now(),
            "problem": problem.message if problem else "",
        }
        return page(request, "member.html", values, problem.status if problem else 200)


async def _chosen(request: Request) -> frozenset[str]:
    """The workspaces that are ticked: of this field alone there may be several."""
    return frozenset(parse_qs((await body_of(request)).decode()).get("workspace", ()))
