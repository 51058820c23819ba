"""Admin keys, which open the admin API: made, shown once, rotated, revoked by administrators."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import AdminKey, NewKey
from tramontane.console.actions import Action
from tramontane.console.audit import name_subject
from tramontane.console.forms import form_of
from tramontane.console.pages.keys import LIFETIMES, expiry_of
from tramontane.console.paging import asked_part, page_of
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page
from tramontane.console.viewer import viewer_of
from tramontane.errors import ApiError


def routes(parts: Parts) -> Sequence[Action]:
    """The list, and what is done with its keys."""
    actions = _Actions(parts)
    return [
        Action("GET", "/admin-keys", actions.show),
        Action("POST", "/admin-keys", actions.create, words="made the admin key"),
        Action("POST", "/admin-keys/{key_id}/rotate", actions.rotate, words="rotated the admin key"),
        Action("POST", "/admin-keys/{key_id}/revoke", actions.revoke, words="revoked the admin key"),
    ]


class _Actions:
    """In the name of an administrator, with the admin keys of the organization."""

    def __init__(self, parts: Parts) -> None:
        self._clock = parts.clock
        self._keys = parts.keys

    async def show(self, request: Request) -> Response:
        """The list."""
        return await self._page(request)

    async def create(self, request: Request) -> Response:
        """A new key, shown in the answer and never again."""
        fields = await form_of(request)
        try:
            made = await self._keys.create_admin_key(
                viewer_of(request).organization_id,
                fields.get("name", ""),
                expiry_of(fields, self._clock.now()),
            )
        except ApiError as error:
            return await self._page(request, problem=error)
        name_subject(request, f"{made.record.name} ({made.record.hint})")
        return await self._page(request, made)

    async def rotate(self, request: Request) -> Response:
        """A new key in the place of one that goes on for a day."""
        try:
            made = await self._keys.rotate(
                AdminKey, viewer_of(request).organization_id, request.path_params["key_id"]
            )
        except ApiError as error:
            return await self._page(request, problem=error)
        name_subject(request, f"{made.record.name} ({made.record.hint})")
        return await self._page(request, made)

    async def revoke(self, request: Request) -> Response:
        """End a key now."""
        try:
            ended = await self._keys.revoke(
                AdminKey, viewer_of(request).organization_id, request.path_params["key_id"]
            )
        except ApiError as error:
            return await self._page(request, problem=error)
        name_subject(request, f"{ended.name} ({ended.hint})")
        return RedirectResponse(f"{PREFIX}/admin-keys", status_code=303)

    async def _page(
        self, request: Request, made: NewKey[AdminKey] | None = None, problem: ApiError | None = None
    ) -> Response:
        part = asked_part(request, newest_first=True)
        found = await self._keys.page(AdminKey, viewer_of(request).organization_id, part)
        values = {
            "keys": page_of(request, found),
            "lifetimes": LIFETIMES,
            "now": self._clock.now(),
            "made": made,
            "problem": problem.message if problem else "",
        }
        return page(request, "admin_keys.html", values, problem.status if problem else 200)
