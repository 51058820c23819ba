"""Requests to the hosted API, or to another Tramontane: what the client said, and nothing else."""

from typing import Any, Final

from tramontane.prompts.tool_ids import ToolIds
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.fim import FIMCompletionRequest

Body = dict[str, Any]
_OURS: Final = frozenset({"model", "stream", "metadata"})


def chat_body(request: ChatCompletionRequest, *, strict: bool) -> Body:
    """The fields that the client has sent; ids of calls are in the hosted form.

    Raises:
        FunctionCallError: an id of a call, in strict mode.
    """
    body = _sent(request)
    ids = ToolIds(strict=strict)
    for message in body["messages"]:
        match message:
            case {"role": "assistant"}:
                ids.start_turn()
                for call in message.get("tool_calls") or ():
                    call["id"] = ids.called(call.get("id", "null"))
            case {"role": "tool"}:
                message["tool_call_id"] = ids.answered(message.get("tool_call_id"))
    return body


def fim_body(request: FIMCompletionRequest) -> Body:
    """The fields that the client has sent."""
    return _sent(request)


def _sent(request: ChatCompletionRequest | FIMCompletionRequest) -> Body:
    """Without what is for this server alone."""
    return request.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=set(_OURS))
