import asyncio
import contextlib
import socket
import threading

import httpx
import pytest
import uvicorn

from tests.api.fakes import KEY, FakeCompletions, FakeEmbeddings, FakeEngine, fake_services
from tramontane.api.app import create_app
from tramontane.settings import Settings

CHAT = {"model": "mistral-large-latest", "messages": [{"role": "user", "content": "Ping"}]}


@pytest.fixture
def chat():
    return FakeCompletions()


@pytest.fixture
def fim():
    return FakeCompletions()


@pytest.fixture
def embeddings():
    return FakeEmbeddings()


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def settings():
    return Settings(max_body_bytes=1024 * 1024)


@pytest.fixture
def app(chat, fim, embeddings, engine, settings):
    return create_app(fake_services(chat, fim, embeddings, engine), settings)


@pytest.fixture
async def client(app):
    """The application without a server in between; authenticated."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://test",
        headers={"authorization": f"Bearer {KEY}"},
    ) as client:
        yield client


class LiveServer:
    """The application under uvicorn on a loopback port, in a thread of its own."""

    def __init__(self, app):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = self._socket.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._server.serve(sockets=[self._socket]),)
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(timeout=60)
        self._socket.close()

    @contextlib.contextmanager
    def sent(self, head, body=b""):
        """A raw connection on which a request was sent."""
        with socket.create_connection(self.address, timeout=60) as connection:
            connection.sendall(head.replace("\n", "\r\n").encode() + body)
            yield connection

    def post(self, path, body, headers=""):
        """A raw connection on which `body` was posted."""
        head = (
            f"POST {path} HTTP/1.1\nHost: test\nAuthorization: Bearer {KEY}\nContent-Type: application/json\n"
            f"Content-Length: {len(body)}\nConnection: close\n{headers}\n"
        )
        return self.sent(head, body)


@pytest.fixture
def live(app):
    with LiveServer(app) as server:
        yield server


def received(connection):
    """Everything until the end of the connection: status line, headers, body with its chunks joined."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    if headers.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    return status, headers, body


def unchunked(body):
    joined = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        joined += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return joined
