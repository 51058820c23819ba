"""Content that a model of text cannot read, by the names that the hosted API gives it."""

from typing import Final

from tramontane.errors import FeatureNotEnabledError
from tramontane.schemas.content import (
    AudioChunk,
    ContentChunk,
    DocumentURLChunk,
    FileChunk,
    ImageURLChunk,
    ReferenceChunk,
    ResourceChunk,
    ResourceLinkChunk,
    ThinkChunk,
)

_KINDS: Final = {
    ImageURLChunk: "Image",
    AudioChunk: "Audio",
    DocumentURLChunk: "Document",
    FileChunk: "File",
    ThinkChunk: "Thinking",
    ReferenceChunk: "Reference",
    ResourceChunk: "Resource",
    ResourceLinkChunk: "Resource",
}


def input_error(chunk: ContentChunk) -> FeatureNotEnabledError:
    """The refusal of `chunk`, which is anything but text: "Image input is not enabled for this model"."""
    return FeatureNotEnabledError(f"{_KINDS[type(chunk)]} input")
