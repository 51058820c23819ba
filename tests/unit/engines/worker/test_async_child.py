import asyncio
import socket
import threading

import msgspec
import pytest

from tramontane.engines.worker.async_child import _serve
from tramontane.engines.worker.framing import FrameDecoder, encode_frame
from tramontane.engines.worker.messages import Abort, Ping, Pong, Ready

pytestmark = pytest.mark.anyio


class Hello(msgspec.Struct, tag=True, frozen=True):
    pass


class Host:
    def __init__(self):
        self.commands = []
        self.is_closed = False

    def apply(self, command):
        self.commands.append(command)

    def close(self):
        self.is_closed = True


async def test_it_says_that_it_lives_and_its_host_hears_nothing_of_it():
    host, (ours, theirs) = Host(), socket.socketpair()

    async def load(_hello, _send):
        return host

    serving = asyncio.create_task(_serve(theirs, Hello | Abort, load, threading.Event()))
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    decoder, said = FrameDecoder(Ready | Pong), []
    for command in (Hello(), Abort(1), Ping()):
        writer.write(encode_frame(command))
    while len(said) < 2:
        said += decoder.feed(await asyncio.wait_for(reader.read(1000), 60))
    writer.close()
    await serving
    assert said == [Ready(), Pong()]
    assert host.commands == [Abort(1)]
    assert host.is_closed
