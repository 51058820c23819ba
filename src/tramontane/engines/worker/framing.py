"""Messages on a stream: four bytes of length (little endian), then msgpack.

Both ends are processes of the same release on one machine, so a frame that cannot be read is a bug,
and raises.
"""

import struct
from collections.abc import Iterator
from types import UnionType
from typing import Any

import msgspec

MessageType = type | UnionType

_HEADER = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()


def encode_frame(message: msgspec.Struct) -> bytes:
    """One frame, ready to be written."""
    body = _encoder.encode(message)
    return _HEADER.pack(len(body)) + body


class FrameDecoder:
    """Pieces of the stream in, messages out. `message_type` is a tagged union of Structs."""

    def __init__(self, message_type: MessageType) -> None:
        self._decoder = msgspec.msgpack.Decoder(message_type)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that `data` completes, in order."""
        self._buffer += data
        start = 0
        while (body := start + _HEADER.size) <= len(self._buffer):
            end = body + _HEADER.unpack_from(self._buffer, start)[0]
            if end > len(self._buffer):
                break
            yield self._decoder.decode(self._buffer[body:end])
            start = end
        del self._buffer[:start]
