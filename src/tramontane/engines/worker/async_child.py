"""The child's side of a worker process whose engine is asynchronous."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import msgspec

from tramontane.engines.worker.child import exit_with_parent, last_line
from tramontane.engines.worker.framing import FrameDecoder, MessageType, encode_frame
from tramontane.engines.worker.messages import LoadFailed, Ping, Pong, Ready

logger = logging.getLogger(__name__)

CommandT_contra = TypeVar("CommandT_contra", contravariant=True)

_READ_BYTES = 1 << 20


class AsyncHost(Protocol[CommandT_contra]):
    """A loaded model in the child."""

    def apply(self, command: CommandT_contra) -> None:
        """Take note of a command. What comes of it is sent as it comes."""
        ...

    def close(self) -> None:
        """End the processes of the engine's own, if it has some."""
        ...


Send = Callable[[msgspec.Struct], None]


def run_async_worker(
    command_type: MessageType, load: Callable[[Any, Send], Awaitable[AsyncHost[Any]]]
) -> None:
    """As `run_worker`, for a host that works in the event loop of this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    descriptor = int(sys.argv[-1])
    ready = threading.Event()
    # Loading may hold up the event loop; once it is done, the loop itself sees that the parent is gone.
    exit_with_parent(descriptor, lambda: None if ready.is_set() else _end())
    asyncio.run(_serve(socket.socket(fileno=descriptor), command_type, load, ready))
    _end()


def _end() -> None:
    """End this process and all that the engine has started: the parent made it the leader of a group."""
    os.killpg(os.getpgid(0), signal.SIGKILL)


async def _serve(
    sock: socket.socket,
    command_type: MessageType,
    load: Callable[[Any, Send], Awaitable[AsyncHost[Any]]],
    ready: threading.Event,
) -> None:
    decoder = FrameDecoder(command_type | Ping)
    reader, writer = await asyncio.open_unix_connection(sock=sock)

    def send(message: msgspec.Struct) -> None:
        if not writer.is_closing():
            writer.write(encode_frame(message))

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, writer.close)
    commands: list[Any] = []
    while not commands:
        if not (data := await _read(reader)):
            return
        commands += decoder.feed(data)
    hello, *commands = commands  # what was asked meanwhile is answered when it is loaded
    try:
        host = await load(hello, send)
    except Exception as error:
        logger.exception("The model cannot be loaded")
        send(LoadFailed(last_line(error)))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return
    ready.set()
    send(Ready())
    while True:
        for command in commands:
            if isinstance(command, Ping):
                send(Pong())
            else:
                host.apply(command)
        if not (data := await _read(reader)):
            host.close()
            writer.close()
            return
        commands = list(decoder.feed(data))


async def _read(reader: asyncio.StreamReader) -> bytes:
    """What has come; nothing when the parent is gone or wants an end."""
    try:
        return await reader.read(_READ_BYTES)
    except ConnectionError:
        return b""
