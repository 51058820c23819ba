"""What stands in front of every page: who may see it, and who may do something with it."""

from typing import Final
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.console.actions import Action, Handler
from tramontane.console.audit import subject_of
from tramontane.console.forms import is_authentic, is_from_elsewhere
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, error_page
from tramontane.console.sessions import Session
from tramontane.console.viewer import viewer_of

_SAFE: Final = ("GET", "HEAD")
_COOKIE: Final = "tramontane_console"
_COOKIE_TLS: Final = "__Host-tramontane_console"
"""Over TLS a name that no other host of the domain, and no page without TLS, can set."""
SIGN_IN: Final = f"{PREFIX}/sign-in"


def guarded(action: Action, parts: Parts) -> Handler:
    """`action` for those who may do it, and who send from a page of ours what changes something."""

    async def endpoint(request: Request) -> Response:
        token = request.cookies.get(_cookie_name(request))
        session = await parts.sessions.find(token) if token else None
        if session is None:
            return _to_sign_in(request)
        request.state.session = session
        if request.method not in _SAFE and (
            is_from_elsewhere(request) or not await is_authentic(request, session)
        ):
            return error_page(
                request,
                403,
                "This page is too old",
                "The console could not tell that this came from one of its pages. Open the page again and "
                "repeat it: nothing has been changed.",
            )
        if not viewer_of(request).may(action.least):
            return error_page(
                request, 403, "This is for administrators", "Ask one of them: nothing has been changed."
            )
        response = await action.handler(request)
        if action.words and response.status_code < 400:
            await parts.audit.note(viewer_of(request), action.words, await subject_of(request))
        return response

    return endpoint


def set_cookie(request: Request, response: Response, session: Session) -> None:
    """Let the browser keep the session. It ends with the browser's own, or when the server says so."""
    response.set_cookie(
        _cookie_name(request),
        session.token,
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_encrypted(request),
    )


def delete_cookie(request: Request, response: Response) -> None:
    """Let the browser forget it."""
    response.delete_cookie(
        _cookie_name(request), path="/", httponly=True, samesite="lax", secure=is_encrypted(request)
    )


def is_encrypted(request: Request) -> bool:
    """Whether the browser speaks TLS, maybe with a proxy. Who lies about it harms their own cookie."""
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "").lower()}


def safe_next(target: str) -> str:
    """A page of the console to go to after signing in; never somewhere else."""
    parts = urlsplit(target)
    is_ours = not parts.scheme and not parts.netloc and parts.path.startswith(f"{PREFIX}/")
    return target if is_ours and "\\" not in target and target.isprintable() else f"{PREFIX}/"


def _cookie_name(request: Request) -> str:
    return _COOKIE_TLS if is_encrypted(request) else _COOKIE


def _to_sign_in(request: Request) -> Response:
    """To the sign-in page and back; a script is told, since what it gets is not looked at by anybody."""
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"hx-redirect": SIGN_IN})
    if request.headers.get("sec-fetch-dest") == "empty" or request.method not in _SAFE:
        return error_page(request, 401, "You are signed out", "Sign in again, then repeat what you did.")
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{SIGN_IN}?next={quote(request.url.path + query)}", status_code=303)
