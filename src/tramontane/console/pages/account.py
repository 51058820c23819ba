"""What a member sees of themselves, and their password."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from tramontane.accounts.entities import Member, Role
from tramontane.accounts.passwords import MIN_PASSWORD_LENGTH
from tramontane.console.actions import Action
from tramontane.console.attempts import Attempts
from tramontane.console.forms import form_of
from tramontane.console.gate import set_cookie
from tramontane.console.parts import Parts
from tramontane.console.rendering import page
from tramontane.console.viewer import viewer_of
from tramontane.errors import ApiError, InvalidRequestError, NotFoundError


def routes(parts: Parts) -> Sequence[Action]:
    """The page, and the password."""
    actions = _Actions(parts)
    return [
        Action("GET", "/account", actions.show, Role.member),
        Action(
            "POST", "/account/password", actions.change_password, Role.member, "changed their own password"
        ),
    ]


class _Actions:
    """In the name of the member."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._attempts = Attempts(parts.clock)

    async def show(self, request: Request) -> Response:
        """The page."""
        return await self._page(request)

    async def change_password(self, request: Request) -> Response:
        """Another password: all other browsers of the member are signed out."""
        fields = await form_of(request)
        member = _member(request)
        try:
            if self._attempts.wait(member.id):
                raise InvalidRequestError("Too many attempts. Try again in a minute.")
            if fields.get("new", "") != fields.get("again", ""):
                raise InvalidRequestError("The two new passwords are not the same.")
            await self._parts.members.change_password(member, fields.get("old", ""), fields.get("new", ""))
        except ApiError as error:
            self._attempts.note_failure(member.id)
            return await self._page(request, error)
        session = await self._parts.sessions.open_for(member)
        request.state.session = session
        response = await self._page(request, is_changed=True)
        set_cookie(request, response, session)
        return response

    async def _page(
        self, request: Request, problem: ApiError | None = None, *, is_changed: bool = False
    ) -> Response:
        member = _member(request)
        workspaces = await self._parts.workspaces.list(member.organization_id)
        values = {
            "member": member,
            "workspaces": [one for one in workspaces if viewer_of(request).sees(one.id)],
            "min_length": MIN_PASSWORD_LENGTH,
            "is_changed": is_changed,
            "problem": problem.message if problem else "",
        }
        return page(request, "account.html", values, problem.status if problem else 200)


def _member(request: Request) -> Member:
    member = viewer_of(request).member
    if member is None:
        raise NotFoundError("The operator has no account here: the password is a setting of the server.")
    return member
