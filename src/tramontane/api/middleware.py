"""What every answer has in common, as plain ASGI: nothing here stands between a token and its client."""

import logging
import time
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tramontane.api.errors import CLIENT_CLOSED_REQUEST, error_response, unforeseen
from tramontane.core.ids import uuid7
from tramontane.core.lifecycle import Lifecycle
from tramontane.errors import EngineUnavailableError, RequestTooLargeError
from tramontane.observability.logging import correlation_id
from tramontane.observability.metrics import UNFORESEEN, Metrics
from tramontane.observability.tracing import traceparent

logger = logging.getLogger(__name__)

COMMON_HEADERS: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
    "x-content-type-options": "nosniff",
}


class RequestScope:
    """Around everything else: an id for the request, the common headers, the log line, and the hosted 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        token = correlation_id.set(answer.correlation_id)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            logger.exception("A request failed")
            self._metrics.refused(UNFORESEEN)
            if answer.status is not None:
                raise  # a part of it is sent: the server must cut the connection
            await error_response(unforeseen())(scope, receive, answer.send)
        finally:
            answer.log(scope)
            self._metrics.answered(scope["method"], _route(scope), answer.final_status)
            correlation_id.reset(token)


class _Answer:
    """One answer on its way out."""

    def __init__(self, send: Send) -> None:
        self.correlation_id = str(uuid7())
        self.status: int | None = None
        self._complete = False
        self._send = send
        self._start = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers.update(COMMON_HEADERS)
            headers["mistral-correlation-id"] = self.correlation_id
        elif not message.get("more_body", False):
            self._complete = True
        await self._send(message)

    @property
    def final_status(self) -> int:
        """As far as the client could read it."""
        return self.status if self._complete and self.status else CLIENT_CLOSED_REQUEST

    def log(self, scope: Scope) -> None:
        status = self.final_status
        milliseconds = round((time.perf_counter() - self._start) * 1000)
        path = quote(scope["path"])
        logger.log(
            logging.DEBUG if path.startswith("/health/") else logging.INFO,
            "%s %s %s in %d ms",
            scope["method"],
            path,
            status,
            milliseconds,
            extra={
                "method": scope["method"],
                "path": path,
                "status": status,
                "milliseconds": milliseconds,
            },
        )


def _route(scope: Scope) -> str:
    """The template of the path; what no route has is one and the same."""
    path: str = getattr(scope.get("route"), "path", "other")
    return path


class Stopping:
    """Refuses new requests while the server stops; who watches it is answered to the end."""

    _OPEN: Final = ("/health/", "/metrics")

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 503, or let the request pass; its client should not use this connection again."""
        if scope["type"] != "http" or not self._lifecycle.is_stopping:
            await self._app(scope, receive, send)
            return

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        if self._lifecycle.is_refusing and not scope["path"].startswith(self._OPEN):
            error = EngineUnavailableError("The server is stopping.")
            await error_response(error)(scope, receive, send_and_close)
        else:
            await self._app(scope, receive, send_and_close)


class TraceParent:
    """Notes the span of the caller, for the spans of its request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass."""
        if scope["type"] == "http":
            traceparent.set(Headers(scope=scope).get("traceparent"))
        await self._app(scope, receive, send)


class HeadAsGet:
    """Answers HEAD as GET, without the body: what monitors and load balancers ask with."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a HEAD; let everything else pass."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            is_body = message["type"] == "http.response.body"
            await send({**message, "body": b""} if is_body else message)

        as_get = {**scope, "method": "GET"}
        await self._app(as_get, receive, send_head)
        scope["route"] = as_get.get("route")


class Preflight:
    """Answers a browser that asks whether a page may call the API. It may: there are no cookies to abuse."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight; let everything else pass."""
        if scope["type"] != "http" or scope["method"] != "OPTIONS":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        if "access-control-request-method" not in asked:
            await self._app(scope, receive, send)
            return
        allowed = {
            "access-control-allow-methods": "GET, POST, PATCH, DELETE, OPTIONS",
            "access-control-allow-headers": asked.get("access-control-request-headers", "*"),
            "access-control-max-age": "86400",
        }
        await Response(status_code=204, headers=allowed)(scope, receive, send)


class BodyLimit:
    """Stops reading a body that is too large, declared or not.

    The server still takes the rest of it from the network, and forgets it, so that the client reads the 413.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` that raises RequestTooLargeError."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        received = 0

        async def limited_receive() -> Message:
            nonlocal received
            if int(declared) > self._max_body_bytes:
                raise RequestTooLargeError(self._max_body_bytes)
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise RequestTooLargeError(self._max_body_bytes)
            return message

        await self._app(scope, limited_receive, send)
