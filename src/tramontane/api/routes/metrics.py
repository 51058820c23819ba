"""What Prometheus reads."""

import ipaddress
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse

from tramontane.api.deps import ServicesDep
from tramontane.errors import AuthenticationError

router = APIRouter(tags=["health"])

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers of a proxy: whoever asks through one is not this machine."""


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"application/openmetrics-text": {}}}},
)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """All metrics, in Prometheus' text format or OpenMetrics.

    Raises:
        HTTPException: they are switched off.
        AuthenticationError, PermissionDeniedError: neither of this machine nor with an admin key.
    """
    access = request.app.state.settings.metrics
    if access == "off":
        raise HTTPException(404)
    if access == "admin" and not _is_local(request):
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationError
        await services.accounts.authenticate_admin(key)
    body, content_type = services.metrics.exposition(request.headers.get("accept"))
    return Response(body, media_type=content_type)


def _is_local(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
