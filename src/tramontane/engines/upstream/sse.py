"""Server-sent events out of pieces of bytes, as much of them as completions use."""

from collections.abc import Sequence
from typing import Final

MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""Of one event. What is longer comes from no server of models."""


class EventReader:
    """Splits a stream into the data of its events, however its bytes are cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Sequence[bytes]:
        """The data of all events that are complete now.

        Raises:
            ValueError: an event is too long.
        """
        data = self._rest + piece
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        *blocks, self._rest = data.split(b"\n\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise ValueError(f"an event is longer than {MAX_EVENT_BYTES} bytes")
        return [found for block in blocks if (found := _data(block))]

    def end(self) -> Sequence[bytes]:
        """The data of what is left when the stream has ended."""
        rest, self._rest = self._rest, b""
        found = _data(rest)
        return [found] if found else []


def _data(block: bytes) -> bytes:
    """What the lines of one event say; comments and other fields are left out."""
    if block.startswith(b"data: ") and b"\n" not in block:
        return block[6:]
    lines = (line.removesuffix(b"\r") for line in block.split(b"\n"))
    return b"\n".join(
        line.partition(b":")[2].removeprefix(b" ") for line in lines if line.startswith(_FIELDS)
    )


_FIELDS: Final = (b"data:", b"error:")
"""llama.cpp's server has written errors under a name of their own."""
