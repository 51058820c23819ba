"""Bytes on a connection, through the server that `tramontane serve` runs."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response

from tramontane.cli.http_server import HttpServer
from tramontane.cli.listening import listening, port_of

BODY = b'{"model": "mistral-small-latest"}'
PROPOSAL = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


async def echo(scope, receive, send):
    request = Request(scope, receive)
    body = await request.body()
    await Response(b"%b %b" % (request.method.encode(), body))(scope, receive, send)


async def answers_to(*pieces: bytes) -> bytes:
    """Everything that comes back for `pieces`, the last of which must ask to close the connection."""
    with listening("127.0.0.1", 0) as sockets:
        ready = asyncio.Event()
        server = HttpServer(echo, ready.set)
        serving = asyncio.create_task(server.serve(sockets))
        await ready.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(sockets))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)  # so that it comes as a piece of its own
        received = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        server.should_exit = True
        await serving
    return received


def request(headers: bytes = b"", body: bytes = BODY, close: bool = True) -> bytes:
    close_header = b"Connection: close\r\n" if close else b""
    return b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n%b%b\r\n%b" % (
        len(body),
        headers,
        close_header,
        body,
    )


@pytest.mark.anyio
class TestRequestsThatProposeAnotherProtocol:
    async def test_they_are_answered_with_their_body(self):
        received = await answers_to(request(PROPOSAL))
        assert received.startswith(b"HTTP/1.1 200")
        assert received.endswith(b"POST " + BODY)

    @pytest.mark.parametrize("size", [1, 7, 150])
    async def test_their_bytes_may_come_in_pieces(self, size):
        whole = request(PROPOSAL)
        received = await answers_to(*(whole[start : start + size] for start in range(0, len(whole), size)))
        assert received.endswith(b"POST " + BODY)

    async def test_a_body_in_chunks_is_read_too(self):
        head = b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n" + PROPOSAL
        received = await answers_to(head + b"Connection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert received.endswith(b"POST abcde")

    async def test_the_connection_goes_on_in_http(self):
        received = await answers_to(request(PROPOSAL, b"one", close=False), request(PROPOSAL, b"two"))
        assert received.count(b"HTTP/1.1 200") == 2
        assert received.index(b"POST one") < received.index(b"POST two")

    async def test_any_number_may_come_at_once(self):
        proposals = request(PROPOSAL, b"", close=False) * 600
        received = await answers_to(proposals + request())
        assert received.count(b"HTTP/1.1 200") == 601

    async def test_a_web_socket_is_declined_without_a_warning(self, caplog):
        received = await answers_to(request(b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b""))
        assert received.startswith(b"HTTP/1.1 200")
        assert not caplog.records


@pytest.mark.anyio
async def test_what_is_not_http_is_400_and_ends_the_connection():
    received = await answers_to(b"\x16\x03\x01 this is TLS\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400")


@pytest.mark.anyio
async def test_a_tunnel_is_left_to_the_application():
    received = await answers_to(
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"
    )
    assert received.startswith(b"HTTP/1.1")
