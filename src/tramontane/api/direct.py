"""The short way to the routes that are asked hundreds of times a second.

For each request FastAPI asks every router for the route, opens exit stacks and works out anew what the
function of the route depends on: more than everything else that happens to a short request. These routes
depend on the same few things, so they are given them straight. FastAPI knows them all the same: for its
document, and to answer every other method.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from tramontane.api.deps import authenticated
from tramontane.api.errors import FORESEEN, answer_error
from tramontane.core.context import RequestContext
from tramontane.schemas.base import WireModel

ReadBody = Callable[[Request, RequestContext], Awaitable[WireModel]]

_METHOD: Final = "POST"


class Direct:
    """Answers the routes it is given; lets everything else pass.

    Args:
        app: what answers everything else.
        routes: routers with one route each, whose function takes `(request, body, context, services)`, and
            what reads its body.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[tuple[APIRouter, ReadBody]]) -> None:
        self._app = app
        self._routes: dict[str, tuple[APIRoute, ReadBody]] = {}
        for router, read_body in routes:
            (route,) = router.routes
            assert isinstance(route, APIRoute)
            assert route.methods == {_METHOD}
            self._routes[route.path] = route, read_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] != _METHOD:
            await self._app(scope, receive, send)
            return
        route, read_body = found
        scope["route"] = route
        request = Request(scope, receive, send)
        try:
            context = await authenticated(request)
            body: Any = await read_body(request, context)
            response = await route.endpoint(request, body, context, request.app.state.services)
            await response(scope, receive, send)
        except FORESEEN as error:  # before anything is sent: a stream that has begun tells its errors itself
            answer = await answer_error(request, error)
            await answer(scope, receive, send)
