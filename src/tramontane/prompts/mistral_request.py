"""A conversation of the wire → a request of `mistral-common`, which knows how Mistral's models read it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mistral_common.protocol.instruct import chunk as chunks
from mistral_common.protocol.instruct import messages, request, tool_calls
from mistral_common.protocol.instruct.request import ChatCompletionRequest, ReasoningEffort

from tramontane.prompts.audio import read_audio
from tramontane.prompts.images import read_image
from tramontane.prompts.inputs import called, input_error
from tramontane.prompts.renderer import ChatInput
from tramontane.prompts.tool_ids import ToolIds
from tramontane.schemas.chat import ResponseFormat
from tramontane.schemas.content import (
    AudioChunk,
    ContentChunk,
    ImageURLChunk,
    ReferenceChunk,
    TextChunk,
    ThinkChunk,
)
from tramontane.schemas.messages import AssistantMessage, SystemMessage, ToolMessage, UserMessage
from tramontane.schemas.tools import Tool, ToolCall

Content = str | list[chunks.ContentChunk]

MODEL = "served"
"""Some name: the validator for serving wants one."""


@dataclass(frozen=True, slots=True)
class RequestBuilder:
    """Makes the requests for one model."""

    thinks: bool
    """The tokenizer can encode thoughts; without that, those of earlier answers are left out."""
    has_schema_setting: bool = False
    """The tokenizer can encode the schema that an answer must follow."""
    strict: bool = False
    """Ids of tool calls must have the hosted API's form."""
    sampling_rate: int = 0
    """Of the sound that the model hears, in samples a second."""

    def build(self, chat: ChatInput) -> ChatCompletionRequest[messages.ChatMessage]:
        """The request, not yet validated, without what is for sampling only.

        Raises:
            FeatureNotEnabledError: content that is neither text nor in `chat.files`.
            FileInputError, AudioFileError: an image or audio that cannot be read.
            FunctionCallError: an id of a call, in strict mode.
        """
        effort = chat.reasoning_effort
        form = chat.response_format if self.has_schema_setting else None
        return ChatCompletionRequest(
            model=MODEL,
            messages=list(self._messages(chat)),
            tools=list(map(_tool, chat.tools)) or None,
            response_format=_response_format(form),
            reasoning_effort=ReasoningEffort(effort.value) if effort else None,
        )

    def _messages(self, chat: ChatInput) -> Iterator[messages.ChatMessage]:
        ids = ToolIds(strict=self.strict)
        for message in chat.messages:
            match message:
                case SystemMessage(content=content):
                    yield messages.SystemMessage(content=self._content(content))
                case UserMessage(content=content):
                    yield messages.UserMessage(content=self._said(content, chat.files))
                case ToolMessage(content=content, tool_call_id=call_id, name=name):
                    yield messages.ToolMessage(
                        content=self._said(content, chat.files), tool_call_id=ids.answered(call_id), name=name
                    )
                case AssistantMessage():
                    yield from self._answer(message, ids)

    def _answer(self, message: AssistantMessage, ids: ToolIds) -> Iterator[messages.AssistantMessage]:
        """An earlier answer; nothing if it has nothing that the model would be shown."""
        ids.start_turn()
        content = self._content(self._shown(message.content))
        calls = [_call(call, ids) for call in message.tool_calls or ()]
        if content or calls:
            yield messages.AssistantMessage(
                content=content or None, tool_calls=calls or None, prefix=message.prefix
            )

    def _shown(self, content: str | Sequence[ContentChunk] | None) -> str | Sequence[ContentChunk]:
        if content is None or isinstance(content, str):
            return content or ""
        hidden = ReferenceChunk if self.thinks else ReferenceChunk | ThinkChunk
        return [chunk for chunk in content if not isinstance(chunk, hidden)]

    def _said(self, content: str | Sequence[ContentChunk] | None, files: Mapping[str, bytes]) -> Content:
        """What a user or a tool says and shows."""
        if content is None or isinstance(content, str):
            return content or ""
        return [self._shown_chunk(chunk, files) for chunk in content]

    def _shown_chunk(self, chunk: ContentChunk, files: Mapping[str, bytes]) -> chunks.ContentChunk:
        match chunk:
            case TextChunk(text=text):
                return chunks.TextChunk(text=text)
            case ImageURLChunk(source=source) if source in files:
                return chunks.ImageChunk(image=read_image(files[source], called(source)))
            case AudioChunk(source=source) if source in files:
                # The library's own readers are not used: raw samples, for `mistral_media` to lay out.
                return chunks.AudioChunk(input_audio=read_audio(files[source], self.sampling_rate).tobytes())
            case _:
                raise input_error(chunk)

    def _content(self, content: str | Sequence[ContentChunk]) -> Content:
        if isinstance(content, str):
            return content
        return list(self._chunks(content))

    def _chunks(self, content: Sequence[ContentChunk]) -> Iterator[chunks.TextChunk | chunks.ThinkChunk]:
        for chunk in content:
            match chunk:
                case TextChunk(text=""):
                    continue
                case TextChunk(text=text):
                    yield chunks.TextChunk(text=text)
                case ThinkChunk() if self.thinks:
                    yield chunks.ThinkChunk(thinking=thought(chunk), closed=chunk.closed)
                case _:
                    raise input_error(chunk)


def thought(chunk: ThinkChunk) -> str:
    """What was thought, without its sources."""
    return "".join(part.text for part in chunk.thinking if isinstance(part, TextChunk))


def _response_format(form: ResponseFormat | None) -> request.ResponseFormat:
    if form is None:
        return request.ResponseFormat()
    return request.ResponseFormat.model_validate(form.model_dump(mode="json", by_alias=True))


def _tool(tool: Tool) -> tool_calls.Tool:
    function = tool.function
    return tool_calls.Tool(
        function=tool_calls.Function(
            name=function.name,
            description=function.description,
            parameters=function.parameters,
            strict=function.strict,
        )
    )


def _call(call: ToolCall, ids: ToolIds) -> tool_calls.ToolCall:
    # An object becomes text by the library, in its own spacing.
    function = tool_calls.FunctionCall.model_validate(
        {"name": call.function.name, "arguments": call.function.arguments}
    )
    return tool_calls.ToolCall(id=ids.called(call.id), function=function)
