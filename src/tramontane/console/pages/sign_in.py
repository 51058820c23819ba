"""Signing in: with a password, with the link that a start prints, with an invitation. And signing out."""

from collections.abc import Sequence
from math import ceil
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import Member, Role
from tramontane.accounts.passwords import MIN_PASSWORD_LENGTH
from tramontane.console.actions import Action, Handler
from tramontane.console.attempts import Attempts
from tramontane.console.forms import form_of, is_from_elsewhere
from tramontane.console.gate import SIGN_IN, delete_cookie, safe_next, set_cookie
from tramontane.console.parts import Parts
from tramontane.console.rendering import page
from tramontane.console.sessions import Session
from tramontane.console.viewer import session_of
from tramontane.errors import InvalidRequestError

REFUSED: Final = "That is not the password."
REFUSED_MEMBER: Final = "There is no member with this address and password."
SPENT_LINK: Final = "This link has been used before, or is too old."
ELSEWHERE: Final = "Sign in on this page, not on another site."
_LINKS: Final = "a link"
"""The name under which failures with links are counted."""


def open_routes(parts: Parts) -> Sequence[tuple[str, str, Handler]]:
    """What is there for everybody."""
    door = _Door(parts)
    return [
        ("GET", "/sign-in", door.show),
        ("POST", "/sign-in", door.sign_in),
        ("GET", "/welcome", door.welcome),
        ("POST", "/welcome", door.accept),
    ]


class _Door:
    """Lets people in, and counts who fails."""

    def __init__(self, parts: Parts) -> None:
        self._sessions = parts.sessions
        self._members = parts.members
        self._attempts = Attempts(parts.clock)

    async def show(self, request: Request) -> Response:
        """The form; with `?link=…` the link is used at once."""
        target = request.query_params.get("next", "")
        token = request.query_params.get("link")
        if not token:
            return await self._form(request, target)
        if self._attempts.wait(_LINKS):
            return await self._too_many(request, target, _LINKS)
        session = await self._sessions.open_with_link(token)
        if session is None:
            self._attempts.note_failure(_LINKS)
            return await self._form(request, target, SPENT_LINK, 403)
        return self._let_in(request, target, session)

    async def sign_in(self, request: Request) -> Response:
        """With a password: the operator's, or with an address that of a member."""
        fields = await form_of(request)
        target, email = fields.get("next", ""), fields.get("email", "").casefold()
        if is_from_elsewhere(request):
            return await self._form(request, target, ELSEWHERE, 403)
        if self._attempts.wait(email):
            return await self._too_many(request, target, email)
        session = await self._session(email, fields.get("password", ""))
        if session is None:
            self._attempts.note_failure(email)
            return await self._form(request, target, REFUSED_MEMBER if email else REFUSED, 403)
        return self._let_in(request, target, session)

    async def welcome(self, request: Request) -> Response:
        """Somebody opens an invitation: it is not used up before there is a password."""
        return await self._invitation(request, request.query_params.get("token", ""))

    async def accept(self, request: Request) -> Response:
        """With the password that they have chosen."""
        fields = await form_of(request)
        token, password = fields.get("token", ""), fields.get("password", "")
        if is_from_elsewhere(request):
            return await self._form(request, "", ELSEWHERE, 403)
        if self._attempts.wait(_LINKS):
            return await self._too_many(request, "", _LINKS)
        if password != fields.get("again", ""):
            return await self._invitation(request, token, "The two passwords are not the same.", 400)
        try:
            member = await self._members.accept(token, password)
        except InvalidRequestError as error:
            return await self._invitation(request, token, error.message, 400)
        if member is None:
            self._attempts.note_failure(_LINKS)
            return await self._form(request, "", SPENT_LINK, 403)
        return self._let_in(request, "", await self._sessions.open_for(member))

    async def _session(self, email: str, password: str) -> Session | None:
        if not email:
            return await self._sessions.open_with_password(password)
        member = await self._members.authenticate(email, password)
        return None if member is None else await self._sessions.open_for(member)

    def _let_in(self, request: Request, target: str, session: Session) -> Response:
        response = RedirectResponse(safe_next(target), status_code=303)
        set_cookie(request, response, session)
        return response

    async def _too_many(self, request: Request, target: str, name: str) -> Response:
        wait = str(ceil(self._attempts.wait(name)))
        response = await self._form(request, target, f"Too many attempts. Try again in {wait} seconds.", 429)
        response.headers["retry-after"] = wait
        return response

    async def _form(self, request: Request, target: str, problem: str = "", status: int = 200) -> Response:
        values = {
            "next": safe_next(target),
            "problem": problem,
            "has_password": self._sessions.has_password,
            "has_members": await self._members.any(),
        }
        return page(request, "sign_in.html", values, status)

    async def _invitation(
        self, request: Request, token: str, problem: str = "", status: int = 200
    ) -> Response:
        member: Member | None = None
        if not self._attempts.wait(_LINKS):
            member = await self._members.find_invited(token)
        if member is None:
            self._attempts.note_failure(_LINKS)
            return await self._form(request, "", SPENT_LINK, 403)
        values = {
            "member": member,
            "token": token,
            "problem": problem,
            "min_length": MIN_PASSWORD_LENGTH,
        }
        return page(request, "welcome.html", values, status)


def routes(parts: Parts) -> Sequence[Action]:
    """What is there for those who are signed in."""

    async def sign_out(request: Request) -> Response:
        fields = await form_of(request)
        if "everywhere" in fields:
            await parts.sessions.end_all(session_of(request))
        else:
            await parts.sessions.end(session_of(request))
        response = RedirectResponse(SIGN_IN, status_code=303)
        delete_cookie(request, response)
        return response

    return [Action("POST", "/sign-out", sign_out, Role.member)]
