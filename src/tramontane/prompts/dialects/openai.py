"""Requests to servers that speak as OpenAI's does: vLLM, llama.cpp, and everybody else.

What such a server has no word for is refused by name, never left out, unless it is a mere hint.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tramontane.core.remote import Dialect
from tramontane.errors import FeatureNotEnabledError, GreedySamplingError
from tramontane.prompts.inputs import input_error
from tramontane.prompts.message_order import check_messages
from tramontane.prompts.tool_ids import ToolIds
from tramontane.schemas.chat import ChatCompletionRequest, ReasoningEffort, ResponseFormats
from tramontane.schemas.content import (
    AudioChunk,
    ContentChunk,
    ImageURL,
    ImageURLChunk,
    ReferenceChunk,
    TextChunk,
    ThinkChunk,
)
from tramontane.schemas.messages import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage
from tramontane.schemas.tools import ToolCall, ToolChoice, ToolChoiceEnum

Body = dict[str, Any]

_LLAMA_SEEDS: Final = 2**32 - 1
"""Its seeds have 32 bits, and the largest one is none."""
_AUDIO_FORMATS: Final = {b"RIFF": "wav", b"ID3": "mp3", b"\xff": "mp3", b"fLaC": "flac", b"OggS": "ogg"}


@dataclass(frozen=True, slots=True)
class _Field:
    """How a kind of server calls a field of ours."""

    name: str
    convert: Callable[[Any], Any] = lambda value: value


def _signed(seed: int) -> int:
    """The same 64 bits, read as OpenAI's signed seed."""
    return seed - 2**64 if seed >= 2**63 else seed


_COMMON: Final = {
    "temperature": _Field("temperature"),
    "top_p": _Field("top_p"),
    "stop": _Field("stop"),
    "presence_penalty": _Field("presence_penalty"),
    "frequency_penalty": _Field("frequency_penalty"),
    "n": _Field("n"),
}
_FIELDS: Final[Mapping[Dialect, Mapping[str, _Field]]] = {
    Dialect.OPENAI: _COMMON
    | {
        "max_tokens": _Field("max_completion_tokens"),
        "random_seed": _Field("seed", _signed),
        "prompt_cache_key": _Field("prompt_cache_key"),
    },
    Dialect.VLLM: _COMMON
    | {
        "max_tokens": _Field("max_tokens"),
        "random_seed": _Field("seed", _signed),
        "min_tokens": _Field("min_tokens"),
        "top_k": _Field("top_k"),
        "repetition_penalty": _Field("repetition_penalty"),
    },
    Dialect.LLAMA_CPP: _COMMON
    | {
        "max_tokens": _Field("max_tokens"),
        "random_seed": _Field("seed", lambda seed: seed % _LLAMA_SEEDS),
        "top_k": _Field("top_k"),
        "repetition_penalty": _Field("repeat_penalty"),
    },
}
_NEUTRAL: Final = {"min_tokens": 0, "top_k": 0, "repetition_penalty": 1.0}
"""Fields that not every server has, with the values that ask for nothing."""


def chat_body(request: ChatCompletionRequest, dialect: Dialect, default_temperature: float | None) -> Body:
    """The request in the words of `dialect`.

    Args:
        request: what the client says.
        dialect: any but Mistral's.
        default_temperature: for a request that says none; None leaves it to the server.

    Raises:
        FeatureNotEnabledError: the server has no word for a field or for content of a message.
        InvalidRequestError: its subclasses say what else cannot be.
    """
    check_messages(request.messages)
    if request.temperature == 0 and (request.top_p or 1) != 1:
        raise GreedySamplingError
    _refuse(request, dialect)
    body: Body = {"messages": list(_messages(request.messages, dialect))}
    for name, field in _FIELDS[dialect].items():
        value = getattr(request, name)
        if value is not None:
            body[field.name] = field.convert(value)
    if default_temperature is not None:
        body.setdefault("temperature", default_temperature)
    body["stream_options"] = {"include_usage": True}
    if dialect is Dialect.VLLM:
        body["stream_options"]["continuous_usage_stats"] = True
    return body | _tools(request) | _form(request) | _thinking(request, dialect) | _prefixed(request, dialect)


def prefix_of(request: ChatCompletionRequest) -> str:
    """How the answer is to begin."""
    last = request.messages[-1] if request.messages else None
    return _text(last.content) if isinstance(last, AssistantMessage) and last.prefix else ""


def _refuse(request: ChatCompletionRequest, dialect: Dialect) -> None:
    for name, neutral in _NEUTRAL.items():
        if name not in _FIELDS[dialect] and getattr(request, name) not in (None, neutral):
            raise FeatureNotEnabledError(name)
    if request.logprobs:
        raise FeatureNotEnabledError("Logprobs", "are")
    if request.prompt_mode is not None:
        raise FeatureNotEnabledError("prompt_mode")
    if dialect is Dialect.OPENAI and prefix_of(request):
        raise FeatureNotEnabledError("prefix")


def _prefixed(request: ChatCompletionRequest, dialect: Dialect) -> Body:
    """llama.cpp continues the last message whenever it is the assistant's."""
    if dialect is Dialect.VLLM and prefix_of(request):
        return {"continue_final_message": True, "add_generation_prompt": False}
    return {}


def _tools(request: ChatCompletionRequest) -> Body:
    if not request.tools or request.tool_choice == ToolChoiceEnum.none:
        return {}
    choice = request.tool_choice
    tools = [
        tool.model_dump(mode="json", exclude_unset=True) | {"type": "function"} for tool in request.tools
    ]
    return {
        "tools": tools,
        "tool_choice": (
            {"type": "function", "function": {"name": choice.function.name}}
            if isinstance(choice, ToolChoice)
            else "required"
            if choice in {ToolChoiceEnum.any, ToolChoiceEnum.required}
            else "auto"
        ),
        "parallel_tool_calls": request.parallel_tool_calls,
    }


def _form(request: ChatCompletionRequest) -> Body:
    form = request.response_format
    if form.type is ResponseFormats.text:
        return {}
    if form.json_schema is None:
        return {"response_format": {"type": form.type.value}}
    schema = form.json_schema.model_dump(mode="json", by_alias=True, exclude_none=True)
    schema["schema"] = form.json_schema.schema_definition  # nulls in it are part of it
    return {"response_format": {"type": form.type.value, "json_schema": schema}}


def _thinking(request: ChatCompletionRequest, dialect: Dialect) -> Body:
    effort = request.reasoning_effort
    if effort is None:
        return {}
    body: Body = {} if dialect is Dialect.LLAMA_CPP else {"reasoning_effort": effort.value}
    if dialect is not Dialect.OPENAI:
        # Templates of models that think unless told otherwise know this one.
        thinks = {"enable_thinking": effort is not ReasoningEffort.none, "reasoning_effort": effort.value}
        body["chat_template_kwargs"] = thinks
    return body


def _messages(messages: Sequence[Message], dialect: Dialect) -> Iterator[Body]:
    ids = ToolIds()
    for message in messages:
        match message:
            case SystemMessage(content=content):
                yield {"role": "system", "content": _text(content)}
            case UserMessage(content=content):
                yield {"role": "user", "content": _said(content)}
            case ToolMessage(content=content, tool_call_id=call_id):
                yield {"role": "tool", "content": _text(content), "tool_call_id": ids.answered(call_id)}
            case AssistantMessage():
                yield _answer(message, ids, dialect)


def _answer(message: AssistantMessage, ids: ToolIds, dialect: Dialect) -> Body:
    ids.start_turn()
    calls = [_call(call, ids) for call in message.tool_calls or ()]
    body: Body = {"role": "assistant", "content": _text(message.content) or (None if calls else "")}
    if calls:
        body["tool_calls"] = calls
    thought = _thought(message.content)
    if thought and dialect is not Dialect.OPENAI:
        body["reasoning_content"] = thought
    return body


def _call(call: ToolCall, ids: ToolIds) -> Body:
    arguments = call.function.arguments
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    function = {"name": call.function.name, "arguments": arguments or "{}"}
    return {"id": ids.called(call.id), "type": "function", "function": function}


def _text(content: str | Sequence[ContentChunk] | None) -> str:
    """The text of a message that can hold nothing else; thoughts and sources of answers are left out."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(_texts(content))


def _texts(content: Sequence[ContentChunk]) -> Iterator[str]:
    for chunk in content:
        match chunk:
            case TextChunk(text=text):
                yield text
            case ThinkChunk() | ReferenceChunk():
                pass
            case _:
                raise input_error(chunk)


def _thought(content: str | Sequence[ContentChunk] | None) -> str:
    thoughts = [chunk for chunk in content or () if isinstance(chunk, ThinkChunk)]
    return "".join(part.text for chunk in thoughts for part in chunk.thinking if isinstance(part, TextChunk))


def _said(content: str | Sequence[ContentChunk] | None) -> str | list[Body]:
    """What a user says and shows; plain text where it is nothing else, which every template can read."""
    if content is None or isinstance(content, str):
        return content or ""
    if all(isinstance(chunk, TextChunk) for chunk in content):
        return "".join(_texts(content))
    return [_shown(chunk) for chunk in content]


def _shown(chunk: ContentChunk) -> Body:
    match chunk:
        case TextChunk(text=text):
            return {"type": "text", "text": text}
        case ImageURLChunk(image_url=image):
            shown = {"url": chunk.source}
            if isinstance(image, ImageURL) and image.detail is not None:
                shown["detail"] = image.detail.value
            return {"type": "image_url", "image_url": shown}
        case AudioChunk(source=source) if not source.startswith("https://"):
            data = source.partition(",")[2] if source.startswith("data:") else source
            return {"type": "input_audio", "input_audio": {"data": data, "format": _audio_format(data)}}
        case _:
            raise input_error(chunk)


def _audio_format(data: str) -> str:
    """By how the file begins; a wrong guess is for the server to refuse."""
    try:
        head = base64.b64decode(data[:8])
    except ValueError:
        head = b""
    return next((name for magic, name in _AUDIO_FORMATS.items() if head.startswith(magic)), "wav")
