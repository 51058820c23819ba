"""Load on an HTTP server from one thread that costs next to nothing, so that the figures are the server's.

Connections are kept, each asks again as soon as it is answered (a closed loop), and nothing of an answer is
read but its end and, of a stream, the number of its frames.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from urllib.parse import urlsplit

_FRAME = b"data: {"
_END = b"0\r\n\r\n"
"""Of a body in chunks."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, as it is sent again and again."""

    base_url: str
    path: str
    key: str
    body: Mapping[str, object]

    def encoded(self) -> bytes:
        """Head and body."""
        payload = json.dumps(self.body).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {urlsplit(self.base_url).netloc}\r\n"
            f"Authorization: Bearer {self.key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        )
        return head.encode() + payload


@dataclass(slots=True)
class Load:
    """What came of it. Times are seconds."""

    seconds: float = 0.0
    answers: int = 0
    frames: int = 0
    latencies: list[float] = field(default_factory=list)
    """From a request to the end of its answer."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    @property
    def p50(self) -> float:
        """The median latency."""
        return median(self.latencies)

    @property
    def p99(self) -> float:
        """The latency that one answer in a hundred exceeds."""
        return quantiles(self.latencies, n=100)[98]


class _Client(asyncio.Protocol):
    """One connection: asks, reads to the end, asks again."""

    def __init__(self, request: bytes, load: Load, deadline: float) -> None:
        self._request = request
        self._load = load
        self._deadline = deadline
        self._buffer = b""
        self._length: int | None = None
        self._read = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Look for the end of the answer only."""
        if self._in_head:
            data = self._buffer + data
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self._fail(RuntimeError(f"{head!r} {data!r}"))
                return
            self._in_head = False
            self._length = _content_length(head)
            self._buffer = b""
        self._read += len(data)
        seen = self._buffer + data
        self._load.frames += seen.count(_FRAME)
        if self._length is None:
            if seen.endswith(_END):
                self._answered()
                return
            self._buffer = seen[-len(_FRAME) + 1 :]
        elif self._read >= self._length:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server must not close first."""
        self._fail(exc or RuntimeError("the server closed the connection"))

    def _ask(self) -> None:
        self._in_head = True
        self._buffer = b""
        self._read = 0
        self._asked_at = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def _answered(self) -> None:
        now = time.perf_counter()
        self._load.answers += 1
        self._load.latencies.append(now - self._asked_at)
        if now < self._deadline:
            self._ask()
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            self._transport.close()


@asynccontextmanager
async def held(ask: Ask, streams: int) -> AsyncIterator[None]:
    """So many streams, all open, until the end of the block: each has had its first frame, none its last.

    Raises:
        RuntimeError: an answer other than 200.
        OSError: the server cannot be reached.
    """
    address = urlsplit(ask.base_url)
    writers = []
    try:
        readers = []
        for _ in range(streams):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writers.append(writer)
            readers.append(reader)
            writer.write(ask.encoded())
        for reader in readers:
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{head!r}")
            await reader.readuntil(_FRAME)
        yield
    finally:
        for writer in writers:
            writer.close()


async def press(ask: Ask, clients: int, seconds: float) -> Load:
    """Ask over `clients` connections for `seconds`, and wait for the answers that are then under way.

    Raises:
        RuntimeError: an answer other than 200.
        OSError: the server cannot be reached.
    """
    load = Load()
    loop = asyncio.get_running_loop()
    address = urlsplit(ask.base_url)
    request = ask.encoded()
    started = time.perf_counter()
    protocols = []
    for _ in range(clients):
        _, protocol = await loop.create_connection(
            lambda: _Client(request, load, started + seconds), address.hostname, address.port
        )
        protocols.append(protocol)
    await asyncio.gather(*(protocol.done for protocol in protocols))
    load.seconds = time.perf_counter() - started
    return load


def _content_length(head: bytes) -> int | None:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return None
