"""The messages of a conversation."""

from typing import Annotated, Literal

from pydantic import Field

from tramontane.schemas.base import Items, WireModel
from tramontane.schemas.content import ContentChunk, SystemMessageContentChunk
from tramontane.schemas.tools import ToolCall


class SystemMessage(WireModel):
    """What the model is told about its task."""

    role: Literal["system"] = "system"
    content: str | Items[SystemMessageContentChunk]


class UserMessage(WireModel):
    """What the user says."""

    role: Literal["user"] = "user"
    content: str | Items[ContentChunk] | None


class AssistantMessage(WireModel):
    """What the model said, or, with `prefix`, how its answer is to begin."""

    role: Literal["assistant"] = "assistant"
    content: str | Items[ContentChunk] | None = None
    tool_calls: Items[ToolCall] | None = None
    prefix: bool = False


class ToolMessage(WireModel):
    """What a tool answered to the call `tool_call_id`."""

    role: Literal["tool"] = "tool"
    content: str | Items[ContentChunk] | None
    tool_call_id: str | None = None
    name: str | None = None


Message = Annotated[
    AssistantMessage | SystemMessage | ToolMessage | UserMessage,
    Field(discriminator="role"),
]
