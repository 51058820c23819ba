"""Clients that would hold on to the server without using it."""

import asyncio
import contextlib
import socket
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tests.support.waiting import eventually
from tramontane.cli.guarded_protocol import MAX_HEAD_BYTES, ConnectionPolicy
from tramontane.cli.http_server import HttpServer
from tramontane.cli.listening import listening, port_of

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

IMPATIENT = ConnectionPolicy(patience=0.3)
HEAD = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n"


class Application:
    """Echoes bodies, or streams without an end; `streaming` counts the answers that go on."""

    streaming = 0

    async def __call__(self, scope, receive, send):
        if scope["path"] == "/endless":
            await StreamingResponse(self._endless())(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        await Response(body)(scope, receive, send)

    async def _endless(self):
        self.streaming += 1
        try:
            while True:
                yield b"x" * 10_000
                await asyncio.sleep(0)
        finally:
            self.streaming -= 1


@asynccontextmanager
async def serving(policy):
    with listening("127.0.0.1", 0) as sockets:
        ready, application = asyncio.Event(), Application()
        server = HttpServer(application, ready.set, connections=policy)
        task = asyncio.create_task(server.serve(sockets))
        await ready.wait()
        yield application, port_of(sockets), server
        server.should_exit = server.force_exit = True
        await task


async def drip(writer, data):
    """A byte now and then."""
    try:
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)
    except ConnectionError:
        pass


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTT", HEAD, HEAD + b"x" * 30], ids=["no", "half", "all", "body"]
)
async def test_who_does_not_send_its_request_is_told_and_cut_off(sent):
    async with serving(IMPATIENT) as (_, port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 60)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b'"type": "request_timeout"' in answer
        await eventually(lambda: not server.server_state.connections)
        writer.close()


async def test_a_byte_now_and_then_is_too_slow():
    async with serving(IMPATIENT) as (_, port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        dripping = asyncio.create_task(drip(writer, HEAD + b"x" * 1000))
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 60)
        dripping.cancel()
        writer.close()


async def test_a_large_body_may_take_longer_if_it_comes():
    body = b"x" * 1000
    async with serving(IMPATIENT) as (_, port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD.replace(b"1000000", b"8000").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        for _ in range(8):
            writer.write(body)
            await asyncio.sleep(0.1)
        answer = await asyncio.wait_for(reader.read(), 60)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(body * 8)
        writer.close()


async def test_a_long_head_is_refused():
    async with serving(ConnectionPolicy()) as (_, port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n")
        for number in range(2 * MAX_HEAD_BYTES // 1000):
            writer.write(b"x-%d: %b\r\n" % (number, b"x" * 1000))
            await asyncio.sleep(0)
        # The rest of the head may be still on its way: then the connection is reset under the answer.
        with contextlib.suppress(ConnectionError):
            assert (await asyncio.wait_for(reader.read(), 60)).startswith(b"HTTP/1.1 431")
        writer.close()


async def test_one_connection_too_many_is_told_so_and_the_next_is_served_when_one_has_gone():
    async with serving(ConnectionPolicy(max_connections=1)) as (_, port, server):
        _, first = await asyncio.open_connection("127.0.0.1", port)
        await eventually(lambda: len(server.server_state.connections) == 1)
        request = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        for status in (b"429", b"200"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            answer = await asyncio.wait_for(reader.read(), 60)
            assert answer.startswith(b"HTTP/1.1 " + status)
            writer.close()
            first.close()
            await eventually(lambda: not server.server_state.connections)
        assert b"retry-after" not in answer


async def test_who_does_not_read_its_answer_does_not_keep_it_going():
    async with serving(IMPATIENT) as (application, port, server):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: test\r\n\r\n")
            await eventually(lambda: application.streaming == 1)
            await eventually(lambda: application.streaming == 0)
            assert not server.server_state.connections


async def test_who_reads_slowly_but_steadily_is_served():
    async with serving(IMPATIENT) as (application, port, _):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        client.setblocking(False)  # noqa: FBT003
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=client, limit=2**14)
        writer.write(b"GET /endless HTTP/1.1\r\nHost: test\r\n\r\n")
        for _ in range(20):
            assert await asyncio.wait_for(reader.read(100_000), 60)
            await asyncio.sleep(0.05)
        assert application.streaming == 1
        writer.close()


async def test_what_is_not_http_has_an_answer_in_the_hosted_shape():
    async with serving(ConnectionPolicy()) as (_, port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 60)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b'"object": "error"' in answer
        writer.close()
