"""Content beside text: its limits, and the names that the hosted API gives it."""

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

MAX_IMAGES: Final = 8
"""In one request, as hosted."""
MAX_IMAGE_BYTES: Final = 10 * 1024 * 1024
"""As hosted."""
MAX_AUDIO_BYTES: Final = 50 * 1024 * 1024

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


def called(source: str) -> str:
    """How an error calls the file of a chunk."""
    return f"from '{source}'" if source.startswith("https://") else "input"


def input_error(chunk: ContentChunk) -> FeatureNotEnabledError:
    """The refusal of `chunk`, which is anything but text: "Image input is not enabled for this model"."""
    return FeatureNotEnabledError(f"{_KINDS[type(chunk)]} input")
