"""The pieces that a message's content is made of."""

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from tramontane.schemas.base import Items, WireModel


class ImageDetail(StrEnum):
    """How closely an image is looked at."""

    low = "low"
    auto = "auto"
    high = "high"


class BuiltInConnectors(StrEnum):
    """Tools that the hosted API runs by itself."""

    web_search = "web_search"
    web_search_premium = "web_search_premium"
    code_interpreter = "code_interpreter"
    image_generation = "image_generation"
    document_library = "document_library"


class TextChunk(WireModel):
    """Text."""

    type: Literal["text"] = "text"
    text: str


class ImageURL(WireModel):
    """Where an image is: a URL or a data URL."""

    url: str
    detail: ImageDetail | None = None


class ImageURLChunk(WireModel):
    """An image."""

    type: Literal["image_url"] = "image_url"
    image_url: ImageURL | str

    @property
    def source(self) -> str:
        """The URL, whichever way it is given."""
        return self.image_url if isinstance(self.image_url, str) else self.image_url.url


class DocumentURLChunk(WireModel):
    """A document by its URL."""

    type: Literal["document_url"] = "document_url"
    document_url: str
    document_name: str | None = None


class ReferenceChunk(WireModel):
    """Which of the given sources a statement rests on."""

    type: Literal["reference"] = "reference"
    reference_ids: Items[int | str]


class FileChunk(WireModel):
    """An uploaded file."""

    type: Literal["file"] = "file"
    file_id: UUID


class ToolReferenceChunk(WireModel):
    """A source that a built-in tool found."""

    type: Literal["tool_reference"] = "tool_reference"
    tool: BuiltInConnectors | str
    title: str
    url: str | None = None
    favicon: str | None = None
    description: str | None = None


class ThinkChunk(WireModel):
    """What a model thought before it answered."""

    type: Literal["thinking"] = "thinking"
    thinking: Items[TextChunk | ToolReferenceChunk | ReferenceChunk]
    signature: str | None = None
    closed: bool = True


class AudioChunk(WireModel):
    """Speech: base64, a data URL or a URL."""

    type: Literal["input_audio"] = "input_audio"
    input_audio: str

    @property
    def source(self) -> str:
        """Where it is, or the audio itself."""
        return self.input_audio


class ResourceChunk(WireModel):
    """A resource of a connector, with its content."""

    type: Literal["resource"] = "resource"
    uri: str
    content: Annotated[TextChunk | ImageURLChunk, Field(discriminator="type")]


class ResourceLinkChunk(WireModel):
    """A resource of a connector, by its URI alone."""

    type: Literal["resource_link"] = "resource_link"
    uri: str
    metadata: dict[str, Any] | None = None


ContentChunk = Annotated[
    TextChunk
    | ImageURLChunk
    | DocumentURLChunk
    | ReferenceChunk
    | FileChunk
    | ThinkChunk
    | AudioChunk
    | ResourceChunk
    | ResourceLinkChunk,
    Field(discriminator="type"),
]

SystemMessageContentChunk = Annotated[TextChunk | ThinkChunk, Field(discriminator="type")]
