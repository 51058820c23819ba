"""Servers of models as an upstream pool meets them: vLLM, llama.cpp, OpenAI, the hosted API; well or not.

Raw HTTP over asyncio, so that they can also do what no library would: fall silent, send half an event, cut.
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field

DONE = "[DONE]"
MODELS = {
    "mistral": {
        "id": "the-model",
        "capabilities": {"completion_chat": True, "completion_fim": True, "function_calling": True},
        "max_context_length": 4096,
        "default_model_temperature": 0.3,
    },
    "vllm": {"id": "the-model", "owned_by": "vllm", "max_model_len": 4096},
    "llama.cpp": {"id": "the-model", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8192}},
    "openai": {"id": "the-model", "owned_by": "system"},
}


class CutError(Exception):
    """An answer broke its own connection off."""


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: dict


@dataclass
class StandIn:
    """`acts` are what it does to one POST after another, the last one again and again."""

    kind: str = "mistral"
    acts: list = field(default_factory=list)
    models: list | None = None
    health: int = 200
    requests: list = field(default_factory=list)
    gets: list = field(default_factory=list)
    connections: int = 0
    open: int = 0
    """Answers under way."""
    left: int = 0
    """Clients that went before their answer was complete."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def bodies(self):
        return [request.body for request in self.requests]

    @contextlib.asynccontextmanager
    async def serving(self, port=0):
        self._tasks = set()
        server = await asyncio.start_server(self._connection, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader, writer):
        self.connections += 1
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while True:
                await self._answer(await _read(reader), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, CutError):
            pass
        except asyncio.CancelledError:  # the streams' own callback would complain
            pass
        finally:
            writer.close()

    async def _answer(self, request, reader, writer):
        if request.method == "GET":
            self.gets.append(request.path)
            await self._get(request.path, writer)
            return
        self.requests.append(request)
        act = self.acts[min(len(self.requests), len(self.acts)) - 1]
        self.open += 1
        watching = asyncio.create_task(_gone(reader))
        answering = asyncio.create_task(act(self, request, writer))
        try:
            await asyncio.wait({watching, answering}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                await answering
            else:
                self.left += 1
        except ConnectionError:
            self.left += 1
            raise
        finally:
            self.open -= 1
            for task in (watching, answering):
                task.cancel()
            await asyncio.gather(watching, answering, return_exceptions=True)

    async def _get(self, path, writer):
        if self.health is None and path.startswith("/health"):
            await asyncio.sleep(3600)
        match path:
            case "/v1/models":
                listed = [MODELS[self.kind]] if self.models is None else self.models
                await respond(writer, 200, {"object": "list", "data": listed})
            case "/health" if self.kind in ("vllm", "llama.cpp"):
                await respond(writer, self.health, {})
            case "/health/ready" if self.kind == "mistral":
                await respond(writer, self.health, {})
            case "/props" if self.kind == "llama.cpp":
                await respond(writer, 200, {"default_generation_settings": {"n_ctx": 2048}})
            case _:
                await respond(writer, 404, {"detail": "Not Found"})


async def _gone(reader):
    """Return when the client has closed the connection; reads nothing."""
    while not reader.at_eof():  # noqa: ASYNC110 - a stream tells of its end to nobody who does not read
        await asyncio.sleep(0.005)


async def _read(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    length = int(headers.get("content-length", 0))
    body = await reader.readexactly(length)
    return Request(method, path, headers, json.loads(body) if body else {})


async def respond(writer, status, body, headers=()):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Status", "content-type: application/json", f"content-length: {len(data)}"]
    writer.write("\r\n".join([*lines, *headers, "", ""]).encode() + data)
    await writer.drain()


async def start_stream(writer):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    await writer.drain()


async def send(writer, data):
    """Some bytes of a stream: an event for what is no bytes."""
    if not isinstance(data, bytes):
        data = b"data: %b\n\n" % (data if isinstance(data, str) else json.dumps(data)).encode()
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    await writer.drain()


async def end_stream(writer):
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def chunk(index=0, finish_reason=None, **delta):
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]}


def usage(prompt=7, completion=3, cached=None):
    said = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return said if cached is None else said | {"prompt_tokens_details": {"cached_tokens": cached}}


def hello(*texts):
    """Chunks of an answer as the hosted API sends them."""
    return [
        chunk(role="assistant", content=""),
        *(chunk(content=text) for text in texts[:-1]),
        chunk(finish_reason="stop", content=texts[-1]) | {"usage": usage(completion=len(texts))},
        DONE,
    ]


def says(*pieces, pause=0):
    """Streams chunks, texts of events, raw bytes; numbers are seconds to wait."""

    async def act(stand_in, request, writer):
        await start_stream(writer)
        for piece in pieces:
            if isinstance(piece, int | float):
                await asyncio.sleep(piece)
            else:
                await send(writer, piece)
                await asyncio.sleep(pause)
        await end_stream(writer)

    return act


def answers(body):
    async def act(stand_in, request, writer):
        await respond(writer, 200, body(request.body) if callable(body) else body)

    return act


def refuses(status, body=None, *headers):
    async def act(stand_in, request, writer):
        await respond(writer, status, {} if body is None else body, headers)

    return act


def is_silent():
    async def act(stand_in, request, writer):
        await asyncio.sleep(3600)

    return act


def cuts_after(*pieces):
    """Streams, then breaks the connection off."""

    async def act(stand_in, request, writer):
        if pieces:
            await start_stream(writer)
        for piece in pieces:
            await send(writer, piece)
        await asyncio.sleep(0.01)
        writer.transport.abort()
        raise CutError

    return act


def goes_on(text, pause=0.0):
    """Streams without end."""

    async def act(stand_in, request, writer):
        await start_stream(writer)
        while True:
            await send(writer, chunk(content=text))
            await asyncio.sleep(pause)

    return act
