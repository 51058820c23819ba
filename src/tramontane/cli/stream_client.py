"""Streams that are timed and otherwise not looked at: the client must not cost what it measures."""

import asyncio
import json
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from tramontane.errors import RemoteServerError

_DATA = b"data: {"


@dataclass(frozen=True, slots=True)
class TimedStream:
    """One streamed answer. Times are seconds since the request was sent."""

    first_token: float
    total: float
    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens_per_second(self) -> float:
        """After the first token."""
        return (self.completion_tokens - 1) / max(self.total - self.first_token, 1e-9)


async def timed_stream(base_url: str, key: str, body: dict[str, object]) -> TimedStream:
    """Stream one chat completion of a server of this process or machine.

    Raises:
        RemoteServerError: it answered anything but a whole stream.
    """
    address = urlsplit(base_url)
    payload = json.dumps(body | {"stream": True}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1 << 20)
    try:
        started = time.perf_counter()
        writer.write(head.encode() + payload)
        first_token = 0.0
        last = b""
        while line := await reader.readline():
            if line.startswith(_DATA):
                if not first_token and b'"role"' not in line:
                    first_token = time.perf_counter() - started
                last = line
        total = time.perf_counter() - started
    finally:
        writer.close()
    usage = json.loads(last.removeprefix(b"data: ") or b"{}").get("usage")
    if usage is None:
        raise RemoteServerError(
            f"{base_url} did not finish an answer: {last.decode(errors='replace')!r:.200}"
        )
    return TimedStream(first_token, total, usage["prompt_tokens"], usage["completion_tokens"])
