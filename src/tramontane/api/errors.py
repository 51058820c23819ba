"""How errors reach a client: each in the hosted API's shape, none with more than the client should know."""

import logging
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from tramontane.errors import ApiError, DatabaseUnavailableError, EngineError, StorageError

logger = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499
"""For the log only: there is nobody left to read it."""


def add_error_handlers(app: FastAPI) -> None:
    """Answer each `ApiError` with its own status and body.

    Wrong paths and methods get FastAPI's own `{"detail": "Not Found"}`, as hosted. What nobody foresaw is
    answered by `middleware.RequestScope`, which stands around everything else.
    """
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(StorageError, _answer_storage_error)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)


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


async def _answer_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    request.app.state.services.metrics.refused(type(error).__name__)
    return error_response(error)


async def _answer_storage_error(request: Request, error: Exception) -> Response:
    logger.error("%s", error)
    request.app.state.services.metrics.refused(DatabaseUnavailableError.__name__)
    return error_response(DatabaseUnavailableError())


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)
