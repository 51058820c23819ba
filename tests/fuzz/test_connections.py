"""Bytes on connections that are no requests, or not quite."""

import contextlib
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.conftest import effort

pytestmark = pytest.mark.process

PIECES = st.sampled_from(
    [
        *(b"GET ", b"POST ", b"/v1/models", b"/../..", b" HTTP/1.1\r\n", b" HTTP/9.9\r\n", b"\r\n\r\n"),
        *(b"Host: x\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n"),
        *(b"Content-Length: 99999999999999999999\r\n", b"Expect: 100-continue\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n"),
        *(b"ffffffffffffffff\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n", b"\0", b"\xff" * 10),
        *(b"Content-Type: multipart/form-data; boundary=x\r\n", b"--x\r\n", b"{}", b"A" * 9000),
    ]
)


@effort(60)
@given(pieces=st.lists(PIECES | st.binary(max_size=30), min_size=1, max_size=10))
@example([b"POST ", b"/v1/chat/completions", b" HTTP/1.1\r\n", b"Content-Length: 5\r\n", b"\r\n\r\n", b"{}"])
def test_any_bytes_end_in_an_answer_or_a_close_and_the_server_lives(server, pieces):
    host, port = server.base_url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    with connection, contextlib.suppress(OSError):
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    with server.client() as client:
        assert client.get("/v1/models").status_code == 200
