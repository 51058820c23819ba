"""Fill-in-the-middle."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from tramontane.api.body import body_of
from tramontane.api.deps import ContextDep, ServicesDep
from tramontane.api.disconnect import unless_disconnected
from tramontane.api.openapi import operation
from tramontane.api.render import completion_response, json_response, model_headers
from tramontane.api.sse import EventStream, Frames
from tramontane.schemas.completions import ChatCompletionResponse, CompletionChunk
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.schemas.superset import translate_fim

router = APIRouter(tags=["fim"])

read_body = body_of(FIMCompletionRequest, translate_fim)
Body = Annotated[FIMCompletionRequest, Depends(read_body)]


@router.post(
    "/v1/fim/completions",
    summary="Fill-in-the-middle completion",
    openapi_extra=operation(FIMCompletionRequest, ChatCompletionResponse, CompletionChunk),
)
async def create_fim_completion(
    request: Request, body: Body, context: ContextDep, services: ServicesDep
) -> Response:
    """Fill the gap between two pieces of code, at once or as a stream."""
    context.headers.update(model_headers(services.served_model_id(body.model)))
    if body.stream:
        events = services.fim.stream(context, body)
        return EventStream(events, Frames(context, body.model), 1, context.headers)
    completion = await unless_disconnected(request.receive, services.fim.complete(context, body))
    return json_response(completion_response(context, body.model, completion), context.headers)
