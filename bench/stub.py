"""An upstream for proxies: answers every chat completion at once, with as many frames as it was told.

`python -m bench.stub PORT FRAMES`. It reads no more of a request than it must.
"""

import asyncio
import json
import sys
from typing import Final

import uvloop

_USAGE: Final = {"prompt_tokens": 8, "completion_tokens": 8, "total_tokens": 16}


def words(count: int) -> list[str]:
    """A story, no word of which comes twice: a proxy may take repetition for a fault of the model."""
    return [f" word{number}" for number in range(count)]


def _answer() -> bytes:
    body = json.dumps(
        {
            "id": "stub",
            "object": "chat.completion",
            "created": 1,
            "model": "stub",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "The sea and the wind."},
                    "finish_reason": "stop",
                }
            ],
            "usage": _USAGE,
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _stream(frames: int) -> bytes:
    """In one piece: a proxy may read as many frames at a time as it can."""
    pieces = [_frame({"role": "assistant", "content": ""})]
    pieces += [_frame({"content": word}) for word in words(frames)]
    pieces += [_frame({}, "stop"), b"data: [DONE]\n\n"]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + chunks + b"0\r\n\r\n"


def _frame(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    chunk = {
        "id": "stub",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
    return b"data: %b\n\n" % json.dumps(chunk).encode()


class _Connection(asyncio.Protocol):
    """Requests one after another, each answered when its body is whole."""

    answer = b""
    stream = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer if the request is whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(body) < length:
            return
        self._received = b""
        is_stream = b'"stream":true' in body.replace(b" ", b"")
        self._transport.write(self.stream if is_stream else self.answer)  # type: ignore[attr-defined]


async def _serve(port: int, frames: int) -> None:
    _Connection.answer, _Connection.stream = _answer(), _stream(frames)
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
