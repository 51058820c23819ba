"""A streaming client that costs next to nothing, so that the figures are the server's."""

import asyncio
import json
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One streamed answer. Times are seconds since the request was sent."""

    first_token: float
    total: float
    prompt_tokens: int
    completion_tokens: int


async def stream_chat(base_url: str, key: str, body: dict[str, object]) -> StreamResult:
    """Stream one chat completion and time it.

    Raises:
        RuntimeError: the server answered anything but a whole stream.
    """
    return await stream(base_url, "/v1/chat/completions", key, body)


async def stream_fim(base_url: str, key: str, body: dict[str, object]) -> StreamResult:
    """Stream one fill-in-the-middle completion and time it, as `stream_chat`."""
    return await stream(base_url, "/v1/fim/completions", key, body)


async def stream(base_url: str, path: str, key: str, body: dict[str, object]) -> StreamResult:
    """Stream one answer of any server that speaks the same protocol, as `stream_chat`."""
    address = urlsplit(base_url)
    payload = json.dumps(body | {"stream": True}).encode()
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    started = time.perf_counter()
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
        "Connection: close\r\n\r\n".encode()
        + payload
    )
    first_token = 0.0
    last_frame = b""
    while line := await reader.readline():
        if not line.startswith(b"data: {"):
            if line.startswith(b"HTTP/1.1 ") and b" 200 " not in line:
                raise RuntimeError(f"{line!r} {await reader.read()!r}")
            continue
        if not first_token and b'"role"' not in line:
            first_token = time.perf_counter() - started
        last_frame = line
    total = time.perf_counter() - started
    writer.close()
    usage = json.loads(last_frame[6:]).get("usage")
    if usage is None:
        raise RuntimeError(f"stream ended with {last_frame!r}")
    return StreamResult(first_token, total, usage["prompt_tokens"], usage["completion_tokens"])
