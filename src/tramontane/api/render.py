"""Answers as the wire has them, of what the services return."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from fastapi import Response
from pydantic import BaseModel

from tramontane.core import events
from tramontane.core.context import MODEL_HEADER, RequestContext
from tramontane.core.usage import Usage
from tramontane.schemas.completions import (
    ChatCompletionChoice,
    ChatCompletionResponse,
    ChatCompletionResponseChoiceLogprobs,
    ChatCompletionResponseTokenLogprobsTopK,
    ClosedThinkChunk,
    CompletionMessage,
    PromptTokensDetails,
    UsageInfo,
)
from tramontane.schemas.content import TextChunk
from tramontane.schemas.embeddings import EmbeddingUsageInfo
from tramontane.schemas.tools import FunctionCall, ToolCall
from tramontane.serving.assemble import Choice, Completion
from tramontane.serving.embeddings import EmbeddingResult

SHOWN_ONCE: Final = {"cache-control": "no-store"}
"""Headers of an answer with a secret in it."""


def json_response(model: BaseModel, headers: Mapping[str, str] | None = None) -> Response:
    """A response of the wire, keys in the order of the schema."""
    return Response(model.model_dump_json(), headers=headers, media_type="application/json")


def model_headers(served_model_id: str | None) -> dict[str, str]:
    """Names the model that really answered, whatever id it was asked for under."""
    return {} if served_model_id is None else {MODEL_HEADER: served_model_id}


def usage_info(usage: Usage) -> UsageInfo:
    """The usage of a completion."""
    return UsageInfo(
        prompt_tokens=usage.prompt_tokens,
        total_tokens=usage.total_tokens,
        completion_tokens=usage.completion_tokens,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=usage.cached_tokens),
    )


def completion_response(
    context: RequestContext, model: str, completion: Completion
) -> ChatCompletionResponse:
    """A whole answer; `model` is the id that was asked for."""
    return ChatCompletionResponse(
        id=context.request_id,
        created=context.created,
        model=model,
        usage=usage_info(completion.usage),
        choices=[
            ChatCompletionChoice(
                index=choice.index,
                finish_reason=choice.finish_reason,
                message=CompletionMessage(
                    tool_calls=tool_calls(choice.tool_calls) or None, content=_content(choice)
                ),
                logprobs=logprobs(choice.logprobs),
            )
            for choice in completion.choices
        ],
    )


def tool_calls(calls: Sequence[events.ToolCall]) -> list[ToolCall]:
    """The calls of one answer."""
    return [
        ToolCall(id=call.id, function=FunctionCall(name=call.name, arguments=call.arguments), index=index)
        for index, call in enumerate(calls)
    ]


def logprobs(tokens: Sequence[events.TokenLogprob]) -> ChatCompletionResponseChoiceLogprobs | None:
    """Those of an answer or a part of it; None if there are none."""
    if not tokens:
        return None
    content = [
        ChatCompletionResponseTokenLogprobsTopK(
            token=token.token_bytes.decode(errors="replace"),
            logprob=token.logprob,
            bytes=list(token.token_bytes),
            token_id=token.token_id,
        )
        for token in tokens
    ]
    return ChatCompletionResponseChoiceLogprobs(content=content)


def _content(choice: Choice) -> str | list[ClosedThinkChunk | TextChunk]:
    """Plain text, or chunks if the model thought before."""
    if not choice.thought:
        return choice.text
    is_closed = bool(choice.text or choice.tool_calls)
    thought = ClosedThinkChunk(thinking=[TextChunk(text=choice.thought)], closed=is_closed)
    return [thought, TextChunk(text=choice.text)] if choice.text else [thought]


def embedding_response(
    context: RequestContext, model: str, result: EmbeddingResult, headers: dict[str, str]
) -> Response:
    """An `EmbeddingResponse`, written straight from the arrays: a large batch is a million numbers.

    `x-tramontane-truncated-inputs` counts the inputs that are longer than the model reads.
    """
    usage = EmbeddingUsageInfo(
        prompt_tokens=result.usage.prompt_tokens, total_tokens=result.usage.total_tokens
    )
    body = orjson.dumps(
        {
            "id": context.request_id,
            "object": "list",
            "data": [
                {"object": "embedding", "embedding": vector, "index": index}
                for index, vector in enumerate(result.vectors)
            ],
            "model": model,
            "usage": usage.model_dump(),
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )
    truncated = {"x-tramontane-truncated-inputs": str(result.truncated_inputs)}
    return Response(
        body,
        headers=headers | truncated if result.truncated_inputs else headers,
        media_type="application/json",
    )
