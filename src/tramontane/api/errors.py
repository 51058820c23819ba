"""How errors reach a client: each in the hosted API's shape, none with more than the client should know."""

import logging
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from tramontane.errors import ApiError, DatabaseUnavailableError, EngineError, StorageError

logger = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST: Final = 499
"""For the log only: there is nobody left to read it."""
FORESEEN: Final = (ApiError, StorageError, ClientDisconnect)
"""What a request may end with before anything is sent."""


def add_error_handlers(app: FastAPI) -> None:
    """Answer each `ApiError` with its own status and body.

    Wrong paths and methods get FastAPI's own `{"detail": "Not Found"}`, as hosted. What nobody foresaw is
    answered by `middleware.RequestScope`, which stands around everything else.
    """
    for kind in FORESEEN:
        app.add_exception_handler(kind, answer_error)


def error_response(error: ApiError) -> Response:
    """The plain answer to an error that was raised before anything was sent."""
    return Response(
        orjson.dumps(error.body()),
        status_code=error.status,
        headers=error.headers,
        media_type="application/json",
    )


def unforeseen() -> ApiError:
    """What a client is told of a fault of ours: the hosted 500, which says nothing of the cause."""
    return EngineError()


def in_band_error(error: ApiError) -> dict[str, Any]:
    """The last frame of a failed stream: the hosted envelope, and `error`, at which OpenAI's SDK raises."""
    return error.body() | {
        "error": {"message": error.message, "type": error.type, "param": None, "code": error.code}
    }


async def answer_error(request: Request, error: Exception) -> Response:
    """The answer to one of `FORESEEN`."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if isinstance(error, StorageError):
        logger.error("%s", error)
        error = DatabaseUnavailableError()
    assert isinstance(error, ApiError)
    request.app.state.services.metrics.refused(type(error).__name__)
    return error_response(error)
