"""The OpenAPI document: FastAPI's own of the routes, with the bodies that FastAPI does not handle here."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from tramontane.api.refusals import ERRORS, refusals
from tramontane.schemas.admin import accounts, billing, limits, models
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.completions import ChatCompletionResponse, CompletionChunk
from tramontane.schemas.embeddings import EmbeddingRequest, EmbeddingResponse
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.schemas.models import BaseModelCard, ModelList

ModelMode = tuple[type[BaseModel], JsonSchemaMode]

REF = "#/components/schemas/{model}"

REQUESTS = (
    ChatCompletionRequest,
    FIMCompletionRequest,
    EmbeddingRequest,
    accounts.CreateWorkspaceRequest,
    accounts.UpdateWorkspaceRequest,
    accounts.CreateApiKeyRequest,
    accounts.CreateAdminKeyRequest,
    accounts.RotateKeyRequest,
    limits.LimitOverride,
    billing.SetSpendLimitRequest,
    models.AddModelRequest,
)
RESPONSES = (
    ChatCompletionResponse,
    CompletionChunk,
    EmbeddingResponse,
    ModelList,
    BaseModelCard,
    accounts.WorkspaceCard,
    accounts.WorkspaceCardList,
    accounts.KeyCardList,
    accounts.ApiKeyCard,
    accounts.NewApiKeyCard,
    accounts.AdminKeyCard,
    accounts.NewAdminKeyCard,
    limits.RateLimit,
    limits.WorkspaceLimitsCard,
    billing.SpendLimitCard,
    billing.UsageCard,
    models.ServedModelCard,
    models.ServedModelCardList,
    models.RemovedModelCard,
    models.ModelJobCard,
    models.ModelJobCardList,
)


def operation(
    request: type[BaseModel],
    response: type[BaseModel],
    chunk: type[BaseModel] | None = None,
    *,
    body_required: bool = True,
) -> dict[str, Any]:
    """What the document says of a route with a body; `chunk` is what it streams."""
    return {
        "requestBody": {
            "required": body_required,
            "content": {"application/json": {"schema": _ref(request)}},
        },
        **answers(response, chunk),
    }


def answers(response: type[BaseModel], chunk: type[BaseModel] | None = None) -> dict[str, Any]:
    """What the document says of a route's answers."""
    content = {"application/json": {"schema": _ref(response)}}
    if chunk:
        content["text/event-stream"] = {"schema": _ref(chunk)}
    return {"responses": {"200": {"description": "Successful Response", "content": content}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of `app`."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    inputs: list[ModelMode] = [(model, "validation") for model in REQUESTS]
    outputs: list[ModelMode] = [(model, "serialization") for model in RESPONSES]
    _, definitions = models_json_schema(inputs + outputs, ref_template=REF)
    document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"] | ERRORS)
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            described["responses"] |= refusals(path, method)
    return document


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}
