"""A server's refusal → whose fault it is: the request's, ours, or the server's."""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from tramontane.core.text import printable
from tramontane.engines.upstream.failures import BusyError, MisconfiguredError, ReplicaError
from tramontane.errors import (
    ApiError,
    ContextLengthError,
    InvalidModelError,
    UpstreamRefusalError,
)

_MAX_MESSAGE: Final = 2000
_BUSY_SECONDS: Final = 1.0
"""For which a server is left alone that says no time."""
_MAX_BUSY_SECONDS: Final = 60.0
_OURS: Final = frozenset({401, 402, 403, 404, 405, 407})
"""Our key, our account there, our URL or our name of the model: the client has not chosen any of them."""
_PASSING: Final = frozenset({408, 409, 423, 425})
"""Of the client's errors by their number, but not by their meaning: another server may not say so."""
_CONTEXT: Final = (
    # Mistral's; OpenAI's and vLLM's older one; vLLM's newer one; llama.cpp's.
    re.compile(r"contains (?P<prompt>\d+) tokens.*too large for model with (?P<most>\d+)"),
    re.compile(
        r"maximum context length is (?P<most>\d+) tokens.*?(?P<prompt>\d+) (?:tokens )?in the messages"
    ),
    re.compile(r"maximum context length is (?P<most>\d+) tokens.*?(?:resulted in|has) (?P<prompt>\d+)"),
    re.compile(r"length of (?P<prompt>\d+).*? (?:maximum model length|max_model_len) of (?P<most>\d+)"),
    re.compile(r"request \((?P<prompt>\d+) tokens\) exceeds .*context size \((?P<most>\d+) tokens\)"),
)


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> ApiError | ReplicaError:
    """What to raise for an answer with any status but 200."""
    message = _message(body)
    said = f"status {status}: {printable(message) or 'no message'}"
    if status == 429:
        return BusyError(said, _retry_after(headers))
    if status in _OURS:
        return MisconfiguredError(said)
    if not 400 <= status < 500 or status in _PASSING:
        return ReplicaError(said)
    return _context_error(message) or _refused(message, body)


def _refused(message: str, body: bytes) -> UpstreamRefusalError | MisconfiguredError:
    """With the hosted type and code, if the body has the hosted shape."""
    match _object(body):
        case {"object": "error", "type": str(kind), "code": str(code)}:
            if kind == InvalidModelError.type:  # the name of the model is ours
                return MisconfiguredError(message)
            return UpstreamRefusalError(message, kind, code)
    return UpstreamRefusalError(message)


def in_band(event: bytes) -> ApiError | ReplicaError:
    """What to raise for an error that came as an event of a stream."""
    fields = _object(event)
    error = fields.get("error")
    details = error if isinstance(error, dict) else fields
    for name in ("raw_status_code", "status", "code"):
        status = details.get(name, fields.get(name))
        if isinstance(status, int) and 400 <= status < 600:
            return refusal(status, {}, event)
    return ReplicaError(f"an error in the stream: {printable(_message(event))}")


def _message(body: bytes) -> str:
    """The words of an error in any of the shapes that servers have."""
    fields = _object(body)
    for candidate in (fields.get("message"), fields.get("error"), fields.get("detail")):
        if (found := _words(candidate)) is not None:
            return found[:_MAX_MESSAGE]
    return ""


def _words(value: object) -> str | None:
    match value:
        case str(text) if text:
            return text
        case {"message": inner} | {"detail": inner} | {"msg": inner}:
            return _words(inner)
        case [first, *_]:
            return _words(first)
    return None


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _context_error(message: str) -> ContextLengthError | None:
    """The prompt is too long, in the hosted words, by which agents know it."""
    for pattern in _CONTEXT:
        if found := pattern.search(message):
            return ContextLengthError(int(found["prompt"]), int(found["most"]))
    return None


def _retry_after(headers: Mapping[str, str]) -> float:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:  # none, or a date
        return _BUSY_SECONDS
    return min(max(seconds, 0.0), _MAX_BUSY_SECONDS)
