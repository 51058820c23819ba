"""The HTTP application."""

from typing import Any

from fastapi import FastAPI

import tramontane
from tramontane.api.deps import Services
from tramontane.api.direct import Direct
from tramontane.api.errors import add_error_handlers
from tramontane.api.middleware import BodyLimit, HeadAsGet, Preflight, RequestScope, Stopping, TraceParent
from tramontane.api.openapi import describe
from tramontane.api.routes import (
    admin_admin_keys,
    admin_api_keys,
    admin_billing,
    admin_limits,
    admin_models,
    admin_workspaces,
    chat,
    embeddings,
    fim,
    health,
    metrics,
    models,
)
from tramontane.settings import Settings


class Application(FastAPI):
    """FastAPI with our own OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        self.openapi_schema = self.openapi_schema or describe(self)
        return self.openapi_schema


def create_app(services: Services, settings: Settings) -> FastAPI:
    """The Mistral AI API, served with `services`."""
    app = Application(
        title="Tramontane",
        version=tramontane.__version__,
        description="The Mistral AI API on your own machines.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI would look for exporters at each request. What is told of requests, we tell ourselves.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    app.state.settings = settings
    for resource in (
        chat,
        fim,
        embeddings,
        models,
        admin_workspaces,
        admin_api_keys,
        admin_admin_keys,
        admin_limits,
        admin_billing,
        admin_models,
        health,
        metrics,
    ):
        app.include_router(resource.router)
    add_error_handlers(app)
    app.add_middleware(
        Direct, routes=[(resource.router, resource.read_body) for resource in (chat, fim, embeddings)]
    )
    app.add_middleware(BodyLimit, max_body_bytes=settings.max_body_bytes)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Preflight)
    if settings.otlp_endpoint:
        app.add_middleware(TraceParent)
    app.add_middleware(Stopping, lifecycle=services.lifecycle)
    app.add_middleware(RequestScope, metrics=services.metrics)  # the last one added is the outermost
    return app
