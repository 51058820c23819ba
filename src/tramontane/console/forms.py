"""Forms of the console's own pages: read with a bound, and refused unless they come from one of its pages."""

import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from tramontane.console.sessions import Session

MAX_FORM_BYTES: Final = 256 * 1024
MAX_FIELDS: Final = 2000
CSRF_FIELD: Final = "csrf_token"
CSRF_HEADER: Final = "x-csrf-token"


class FormError(Exception):
    """The form is not one that a page of the console would send; `str(error)` says so to its user."""


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of the form; of a field that is there twice the last. Without blanks around the values.

    Raises:
        FormError: it is too large, or no form at all.
    """
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise FormError("This is no form of the console.")
    try:
        fields = parse_qsl(
            (await body_of(request)).decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise FormError("This form cannot be read.") from error
    return {name: value.strip() for name, value in fields}


async def body_of(request: Request, limit: int = MAX_FORM_BYTES) -> bytes:
    """The body; it can be read again.

    Raises:
        FormError: there is more of it than `limit` bytes.
    """
    known: bytes | None = getattr(request.state, "body", None)
    if known is not None:
        return known
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise FormError(f"This is larger than the console reads: {limit} bytes.")
        pieces.append(piece)
    request.state.body = b"".join(pieces)
    body: bytes = request.state.body
    return body


def is_from_elsewhere(request: Request) -> bool:
    """Whether a browser says that a page of another origin sends this. Programs say nothing and may."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


async def is_authentic(request: Request, session: Session) -> bool:
    """Whether it carries what only pages of this session know: in a header, or in a field of the form."""
    said = request.headers.get(CSRF_HEADER)
    if said is None:
        try:
            said = (await form_of(request)).get(CSRF_FIELD, "")
        except FormError:
            return False
    return hmac.compare_digest(said.encode(), session.csrf_token.encode())
