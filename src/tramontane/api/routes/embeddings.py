"""Embeddings."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from tramontane.api.body import body_of
from tramontane.api.deps import ContextDep, ServicesDep
from tramontane.api.disconnect import unless_disconnected
from tramontane.api.openapi import operation
from tramontane.api.render import embedding_response, model_headers
from tramontane.schemas.embeddings import EmbeddingRequest, EmbeddingResponse
from tramontane.schemas.superset import translate_embedding

router = APIRouter(tags=["embeddings"])

read_body = body_of(EmbeddingRequest, translate_embedding)
Body = Annotated[EmbeddingRequest, Depends(read_body)]


@router.post(
    "/v1/embeddings",
    summary="Embeddings",
    openapi_extra=operation(EmbeddingRequest, EmbeddingResponse),
)
async def create_embeddings(
    request: Request, body: Body, context: ContextDep, services: ServicesDep
) -> Response:
    """Turn texts into vectors."""
    context.headers.update(model_headers(services.served_model_id(body.model)))
    result = await unless_disconnected(request.receive, services.embeddings.embed(context, body))
    return embedding_response(context, body.model, result, context.headers)
