"""The files of images and audio that a conversation names: refused, decoded or fetched, in this order.

A model that cannot read a kind of input refuses it before anything of it is looked at, so that for a model of
text nothing is decoded and nothing fetched.
"""

import asyncio
import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence, Set

from tramontane.core.prompt import Modality
from tramontane.errors import FileInputError, InvalidRequestError
from tramontane.prompts.inputs import MAX_AUDIO_BYTES, MAX_IMAGE_BYTES, MAX_IMAGES, input_error
from tramontane.remote.files import RemoteFiles
from tramontane.schemas.content import AudioChunk, ContentChunk, ImageURLChunk
from tramontane.schemas.messages import Message

Files = Mapping[str, bytes]
"""By what a chunk names them with."""


class MediaFiles:
    """Gets the files of conversations."""

    def __init__(self, remote: RemoteFiles) -> None:
        self._remote = remote

    async def load(self, messages: Sequence[Message]) -> Files:
        """The files of all images and audio, which `check_media` has let pass; empty without any.

        Raises:
            FileInputError: one cannot be decoded or fetched, or is too large.
        """
        sources = {chunk.source: chunk for chunk in _media(messages)}
        if not sources:
            return {}
        files = await asyncio.gather(*map(self._file, sources.values()))
        return dict(zip(sources, files, strict=True))

    async def _file(self, chunk: ImageURLChunk | AudioChunk) -> bytes:
        kind, max_bytes = _limits(chunk)
        source = chunk.source
        if source.startswith("https://"):
            return await self._remote.fetch(source, max_bytes)
        data = decoded(source, kind)
        if len(data) > max_bytes:
            raise FileInputError(f"{kind} input is too large: at most {max_bytes} bytes, got {len(data)}.")
        return data


def check_media(messages: Sequence[Message], modalities: Set[Modality]) -> None:
    """Return if a model that reads these kinds of input can read all images and audio.

    Raises:
        FeatureNotEnabledError: it cannot read one of them.
        InvalidRequestError: there are too many images.
    """
    if chunks := list(_media(messages)):
        _check(chunks, modalities)


def decoded(source: str, kind: str) -> bytes:
    """The bytes of a `data:` URL, or of base64 alone.

    Raises:
        FileInputError: it is not base64, or empty.
    """
    head, comma, payload = source.partition(",")
    is_data_url = head.startswith("data:") and head.endswith(";base64") and comma
    try:
        data = base64.b64decode(payload if is_data_url else source, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FileInputError(f"{kind} input could not be decoded. ") from error
    if not data:
        raise FileInputError(f"{kind} input could not be decoded. ")
    return data


def _media(messages: Sequence[Message]) -> Iterator[ImageURLChunk | AudioChunk]:
    for message in messages:
        if message.content is None or isinstance(message.content, str):
            continue
        for chunk in message.content:
            if isinstance(chunk, ImageURLChunk | AudioChunk):
                yield chunk


def _check(chunks: Sequence[ContentChunk], modalities: Set[Modality]) -> None:
    for chunk in chunks:
        modality = Modality.IMAGE if isinstance(chunk, ImageURLChunk) else Modality.AUDIO
        if modality not in modalities:
            raise input_error(chunk)
    images = sum(isinstance(chunk, ImageURLChunk) for chunk in chunks)
    if images > MAX_IMAGES:
        raise InvalidRequestError(f"Too many images in request: at most {MAX_IMAGES}, got {images}.")


def _limits(chunk: ImageURLChunk | AudioChunk) -> tuple[str, int]:
    return ("Image", MAX_IMAGE_BYTES) if isinstance(chunk, ImageURLChunk) else ("Audio", MAX_AUDIO_BYTES)
