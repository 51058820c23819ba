"""What a connection may cost: how many there are, how long a head may be, how slow a client."""

import asyncio
import fcntl
import json
import struct
import termios
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from tramontane.cli.http_protocol import HttpProtocol
from tramontane.errors import (
    ApiError,
    CapacityError,
    HeadTooLargeError,
    InvalidRequestError,
    SlowRequestError,
)

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers together."""
MIN_BYTES_A_SECOND: Final = 256
"""Of a client that sends a request, or has more to read than its network buffers hold."""


@dataclass(frozen=True, slots=True)
class ConnectionPolicy:
    """What clients are allowed."""

    max_connections: int = 4096
    patience: float = 30.0
    """Seconds over which a client must be as fast as `MIN_BYTES_A_SECOND`."""


class GuardedProtocol(HttpProtocol):
    """Ends connections of clients that would hold on to the server without using it.

    A client that sends nothing between two requests is left to the keep-alive of the server, one that waits
    for its answer may wait. A timer runs only while a request is incomplete or an answer unread.
    """

    policy = ConnectionPolicy()

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base class has them
        super().__init__(*args, **kwargs)
        self._is_reading = True
        self._is_in_head = True
        self._head_bytes = 0
        self._received = 0
        self._reader: asyncio.TimerHandle | None = None
        self._writer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._is_one_too_many = len(self.connections) > self.policy.max_connections
        self._watch_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is to be waited for."""
        self._rest_reading()
        self._rest_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, if it is not too much, and note whether there must come more."""
        self._received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HeadTooLargeError(MAX_HEAD_BYTES))
                return
        if not self._is_reading:
            self._rest_reading()
        elif self._reader is None:
            self._watch_reading()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._is_reading = self._is_in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._is_in_head = False
        if self._is_one_too_many:
            self._answer(CapacityError())
        elif not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of its body, which nobody may wait for any more."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._is_reading = False
        if not self.transport.is_closing():
            super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        """It has read on."""
        super().resume_writing()
        self._rest_writing()

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP."""
        self._answer(InvalidRequestError(msg))

    def _watch_reading(self) -> None:
        self._reader = self.loop.call_later(self.policy.patience, self._look_at_reading, self._received)

    def _rest_reading(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _look_at_reading(self, before: int) -> None:
        least = self.policy.patience * MIN_BYTES_A_SECOND
        if self.flow.read_paused or self._received - before >= least:
            self._watch_reading()
        elif not self.transport.is_closing():
            self._refuse(SlowRequestError(self.policy.patience))

    def _watch_writing(self) -> None:
        self._writer = self.loop.call_later(self.policy.patience, self._look_at_writing, self._unread())

    def _rest_writing(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None

    def _look_at_writing(self, before: int) -> None:
        if before - self._unread() >= self.policy.patience * MIN_BYTES_A_SECOND:
            self._watch_writing()
        else:
            self.transport.abort()

    def _unread(self) -> int:
        """Bytes of the answer that the client has not acknowledged.

        Most of them wait in the kernel, which takes more only when a third of its megabytes is free.
        """
        sock = self.transport.get_extra_info("socket")
        in_kernel = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        return int(in_kernel) + self.transport.get_write_buffer_size()

    def _refuse(self, error: ApiError) -> None:
        """End the connection with an answer, unless there has been one to this request."""
        if not self._is_in_head and self.cycle.response_started:
            self.transport.close()
        else:
            self._answer(error)

    def _answer(self, error: ApiError) -> None:
        body = json.dumps(error.body()).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            **error.headers,
        }
        head = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        self.transport.close()
