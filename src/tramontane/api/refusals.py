"""What the document says of answers that are errors. `docs/errors.md` lists them all."""

from http import HTTPStatus
from typing import Any, Final

_TEXT: Final = {"type": "string"}
_TEXT_OR_NULL: Final = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_WORD_OR_NUMBER: Final = {"anyOf": [{"type": "string"}, {"type": "integer"}]}

ERRORS: Final[dict[str, Any]] = {
    "Error": {
        "type": "object",
        "description": "The envelope of the hosted API.",
        "properties": {
            "object": {"const": "error"},
            "message": _TEXT,
            "type": _TEXT,
            "param": {"type": "null"},
            "code": _TEXT_OR_NULL,
            "raw_status_code": {"type": "integer"},
        },
        "required": ["object", "message", "type", "param", "code", "raw_status_code"],
    },
    "GatewayError": {
        "type": "object",
        "description": "What the hosted API's gateway says, without an envelope.",
        "properties": {"detail": _TEXT, "message": _TEXT},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
    "HTTPValidationError": {
        "type": "object",
        "properties": {
            "detail": {"type": "array", "items": {"$ref": "#/components/schemas/ValidationError"}}
        },
        "required": ["detail"],
    },
    "ValidationError": {
        "type": "object",
        "properties": {
            "type": _TEXT,
            "loc": {"type": "array", "items": _WORD_OR_NUMBER},
            "msg": _TEXT,
            "input": {},
            "ctx": {"type": "object"},
        },
        "required": ["type", "loc", "msg"],
    },
}
"""Schemas of their bodies."""

_SERVING: Final[tuple[int, ...]] = (400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 429, 431, 500, 503, 504)
_LISTING: Final[tuple[int, ...]] = (401, 404, 405, 408, 422, 429, 431, 500, 503)
_MANAGING: Final[tuple[int, ...]] = (400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 431, 500, 503)
_WATCHING: Final[tuple[int, ...]] = (401, 403, 404, 405, 408, 429, 431, 500, 503)


def refusals(path: str, method: str) -> dict[str, Any]:
    """The `responses` of an operation for all statuses that are errors."""
    if path.startswith("/v1/admin/"):
        statuses = _MANAGING
    elif path.startswith("/v1/"):
        statuses = _SERVING if method == "post" else _LISTING
    else:
        statuses = _WATCHING
    return {str(status): _refusal(status, path) for status in statuses}


def _refusal(status: int, path: str) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    schema: dict[str, Any]
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        schema = {"$ref": "#/components/schemas/HTTPValidationError"}
    elif status == HTTPStatus.SERVICE_UNAVAILABLE and path.startswith("/health/"):
        schema = {"type": "object"}
    else:
        schema = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Error", "GatewayError")]}
    return described | {"content": {"application/json": {"schema": schema}}}
