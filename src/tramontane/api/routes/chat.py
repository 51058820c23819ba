"""Chat."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from tramontane.api.body import body_of
from tramontane.api.deps import ContextDep, ServicesDep
from tramontane.api.disconnect import unless_disconnected
from tramontane.api.openapi import operation
from tramontane.api.render import completion_response, json_response, model_headers
from tramontane.api.sse import EventStream, Frames
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.completions import ChatCompletionResponse, CompletionChunk
from tramontane.schemas.superset import translate_chat

router = APIRouter(tags=["chat"])

read_body = body_of(ChatCompletionRequest, translate_chat)
Body = Annotated[ChatCompletionRequest, Depends(read_body)]


@router.post(
    "/v1/chat/completions",
    summary="Chat completion",
    openapi_extra=operation(ChatCompletionRequest, ChatCompletionResponse, CompletionChunk),
)
async def create_chat_completion(
    request: Request, body: Body, context: ContextDep, services: ServicesDep
) -> Response:
    """Continue a conversation, at once or as a stream."""
    context.headers.update(model_headers(services.served_model_id(body.model)))
    if body.stream:
        events = services.chat.stream(context, body)
        return EventStream(events, Frames(context, body.model), body.n or 1, context.headers)
    completion = await unless_disconnected(request.receive, services.chat.complete(context, body))
    return json_response(completion_response(context, body.model, completion), context.headers)
