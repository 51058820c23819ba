"""Signing in, with a password or with the link that a start prints, and signing out."""

from collections.abc import Sequence
from math import ceil
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.console.attempts import Attempts
from tramontane.console.forms import form_of, is_from_elsewhere
from tramontane.console.gate import SIGN_IN, Handler, delete_cookie, safe_next, session_of, set_cookie
from tramontane.console.parts import Parts
from tramontane.console.rendering import page
from tramontane.console.sessions import Session

REFUSED: Final = "That is not the password."
SPENT_LINK: Final = "This link has been used before, or is too old."
ELSEWHERE: Final = "Sign in on this page, not on another site."


def open_routes(parts: Parts) -> Sequence[tuple[str, str, Handler]]:
    """What is there for everybody."""
    door = _Door(parts)
    return [("GET", "/sign-in", door.show), ("POST", "/sign-in", door.sign_in)]


class _Door:
    """Lets people in, and counts who fails."""

    def __init__(self, parts: Parts) -> None:
        self._sessions = parts.sessions
        self._attempts = Attempts(parts.clock)

    async def show(self, request: Request) -> Response:
        """The form; with `?link=…` the link is used at once."""
        target = request.query_params.get("next", "")
        token = request.query_params.get("link")
        if not token:
            return self._form(request, target)
        if self._attempts.wait:
            return self._too_many(request, target)
        session = await self._sessions.open_with_link(token)
        return self._answer(request, target, session, SPENT_LINK)

    async def sign_in(self, request: Request) -> Response:
        """With the password."""
        fields = await form_of(request)
        target = fields.get("next", "")
        if is_from_elsewhere(request):
            return self._form(request, target, ELSEWHERE, 403)
        if self._attempts.wait:
            return self._too_many(request, target)
        session = await self._sessions.open_with_password(fields.get("password", ""))
        return self._answer(request, target, session, REFUSED)

    def _answer(self, request: Request, target: str, session: Session | None, problem: str) -> Response:
        if session is None:
            self._attempts.note_failure()
            return self._form(request, target, problem, 403)
        response = RedirectResponse(safe_next(target), status_code=303)
        set_cookie(request, response, session)
        return response

    def _too_many(self, request: Request, target: str) -> Response:
        wait = str(ceil(self._attempts.wait))
        response = self._form(request, target, f"Too many attempts. Try again in {wait} seconds.", 429)
        response.headers["retry-after"] = wait
        return response

    def _form(self, request: Request, target: str, problem: str = "", status: int = 200) -> Response:
        values = {"next": safe_next(target), "problem": problem, "has_password": self._sessions.has_password}
        return page(request, "sign_in.html", values, status)


def routes(parts: Parts) -> Sequence[tuple[str, str, Handler]]:
    """What is there for those who are signed in."""

    async def sign_out(request: Request) -> Response:
        fields = await form_of(request)
        if "everywhere" in fields:
            await parts.sessions.end_all()
        else:
            await parts.sessions.end(session_of(request))
        response = RedirectResponse(SIGN_IN, status_code=303)
        delete_cookie(request, response)
        return response

    return [("POST", "/sign-out", sign_out)]
