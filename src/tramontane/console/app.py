"""The console as an application, and how it stands beside the API."""

import logging
from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tramontane.console.actions import Action
from tramontane.console.forms import FormError
from tramontane.console.gate import guarded
from tramontane.console.pages import (
    account,
    admin_keys,
    changes,
    health,
    keys,
    limits,
    members,
    models,
    playground,
    requests,
    sign_in,
    usage,
    workspaces,
)
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, error_page, release
from tramontane.errors import ApiError, StorageError

logger = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Whatever gets into a page, it runs no script and loads nothing from anywhere else."""
HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_OF_THE_API: Final = ("access-control-allow-origin", "access-control-expose-headers")
"""The API may be called by pages of any origin, the console by its own only."""
_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"

PAGES: Final = (
    playground,
    keys,
    admin_keys,
    workspaces,
    members,
    usage,
    requests,
    limits,
    models,
    health,
    changes,
    account,
)
"""Each has `routes(parts)`: all that it does."""


def beside(api: ASGIApp, console: ASGIApp) -> ASGIApp:
    """Both on one port: `/` and everything under `/console` is the console's, the rest the API's."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else None
        is_console = path is not None and (path in {"/", PREFIX} or path.startswith(f"{PREFIX}/"))
        await (console if is_console else api)(scope, receive, send)

    return application


def create_console(parts: Parts) -> ASGIApp:
    """The console, served with `parts`."""
    return _Frame(Starlette(routes=routes_of(parts), exception_handlers=_EXCEPTION_HANDLERS))


def routes_of(parts: Parts) -> Sequence[BaseRoute]:
    """Everything that is served. Only signing in and the static files are open to everybody."""
    return [
        Route("/", _to_console),
        Route(PREFIX, _to_console),
        Route(f"{PREFIX}/", _to_first_page),
        *(
            Route(f"{PREFIX}{path}", handler, methods=[method])
            for method, path, handler in sign_in.open_routes(parts)
        ),
        *guarded_routes(parts),
        Mount(f"{PREFIX}/static/{{release}}", StaticFiles(packages=[("tramontane.console", "static")])),
    ]


def guarded_routes(parts: Parts) -> list[Route]:
    """What is for those who are signed in."""
    return [
        Route(f"{PREFIX}{action.path}", guarded(action, parts), methods=[action.method])
        for action in actions_of(parts)
    ]


def actions_of(parts: Parts) -> Sequence[Action]:
    """The same, and who may do it."""
    return [*sign_in.routes(parts), *(action for module in PAGES for action in module.routes(parts))]


async def _to_console(_request: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/", status_code=303)


async def _to_first_page(_request: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/playground", status_code=303)


class _Frame:
    """Around everything: the headers that each answer has, and a page for what nobody foresaw."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                for name in _OF_THE_API:
                    del headers[name]
                is_kept = (
                    scope["path"].startswith(f"{PREFIX}/static/{release()}/") and message["status"] < 400
                )
                headers.setdefault("cache-control", _FOR_A_YEAR if is_kept else "no-store")
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            logger.exception("A page of the console failed")
            if started:
                raise
            request = Request(scope, receive)
            await _unforeseen(request)(scope, receive, send_with_headers)


def _unforeseen(request: Request) -> Response:
    return error_page(
        request, 500, "That did not work", "It is a fault of ours. The server's log says more; try again."
    )


async def _not_found(request: Request, _error: Exception) -> Response:
    return error_page(request, 404, "There is no such page", "Choose one of the pages of the console.")


async def _wrong_method(request: Request, _error: Exception) -> Response:
    return error_page(request, 405, "This cannot be done here", "Go back to the page that you came from.")


async def _bad_form(request: Request, error: Exception) -> Response:
    return error_page(request, 400, "This cannot be read", str(error))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_page(request, error.status, "That cannot be done", error.message)


async def _no_database(request: Request, error: Exception) -> Response:
    logger.warning("A page of the console needs the database: %s", error)
    return error_page(
        request, 503, "The database does not answer", "The server's log says why. Try again in a moment."
    )


async def _nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)


_EXCEPTION_HANDLERS: Final = {
    404: _not_found,
    405: _wrong_method,
    FormError: _bad_form,
    ApiError: _refused,
    StorageError: _no_database,
    ClientDisconnect: _nobody,
}
