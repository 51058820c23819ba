"""Whether the server lives, and whether it can answer. No key is needed."""

import orjson
from fastapi import APIRouter, Response

from tramontane.api.deps import Services, ServicesDep
from tramontane.errors import EngineUnavailableError

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Liveness")
async def live() -> Response:
    """200 as long as the server answers at all."""
    return _status(200, {"status": "live"})


@router.get("/ready", summary="Readiness")
async def ready(services: ServicesDep) -> Response:
    """200 only when every model that is in memory would answer now; else 503 with what is said of the others.

    A model that is not in memory is no reason: it is loaded when it is asked for. Nor is one of other
    servers: no other gateway would reach them either, and the other models are here. 503 too as soon as the
    server was told to stop, so that balancers send nobody any more.
    """
    if services.lifecycle.is_stopping:
        return _status(503, {"status": "stopping"})
    missing = await _not_ready(services)
    if missing:
        return _status(503, {"status": "not ready", "models": missing})
    return _status(200, {"status": "ready"})


async def _not_ready(services: Services) -> dict[str, str]:
    missing = {}
    for model in services.catalog:
        try:
            if model.loaded is not None and model.settings.engine != "upstream":
                await model.loaded.engine.check_health()
        except EngineUnavailableError as error:
            missing[model.profile.id] = error.message
    return missing


def _status(status: int, body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
