"""The child's side of a worker process: one thread owns the model and applies commands between its steps."""

import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from tramontane.engines.worker.framing import FrameDecoder, MessageType, encode_frame
from tramontane.engines.worker.messages import LoadFailed, Ping, Pong, Ready

logger = logging.getLogger(__name__)

CommandT_contra = TypeVar("CommandT_contra", contravariant=True)

_READ_BYTES = 1 << 20


class Host(Protocol[CommandT_contra]):
    """A loaded model in the child."""

    @property
    def busy(self) -> bool:
        """There is work to step through."""
        ...

    def apply(self, command: CommandT_contra) -> None:
        """Take note of a command. Does no work."""
        ...

    def step(self) -> Sequence[msgspec.Struct]:
        """Work a moment for everybody, and say what came of it. Called only when busy."""
        ...


class ParentGoneError(Exception):
    """The other end of the socket is closed."""


class Channel:
    """Typed messages over the blocking socket to the parent."""

    def __init__(self, sock: socket.socket, command_type: MessageType) -> None:
        self._socket = sock
        self._decoder = FrameDecoder(command_type | Ping)

    def receive(self, *, wait: bool) -> Iterator[Any]:
        """Commands that have arrived; with `wait`, sleeps until something does."""
        if not wait and not select.select([self._socket], [], [], 0)[0]:
            return iter(())
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ParentGoneError
        return self._decoder.feed(data)

    def send(self, message: msgspec.Struct) -> None:
        """Write a message, waiting for a parent that is slow to read."""
        self._socket.sendall(encode_frame(message))


def run_worker(command_type: MessageType, load: Callable[[Any], Host[Any]]) -> None:
    """The `main` of a worker process; the last argument on its command line is the socket's descriptor.

    The first command says what to load. Never returns: the process ends with its parent, however that ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    descriptor = int(sys.argv[-1])
    exit_with_parent(descriptor, lambda: os._exit(0))
    channel = Channel(socket.socket(fileno=descriptor), command_type)
    try:
        _serve(channel, load)
    except (ParentGoneError, ConnectionError):
        os._exit(0)  # nobody is left to free things for


def _serve(channel: Channel, load: Callable[[Any], Host[Any]]) -> None:
    commands = channel.receive(wait=True)
    while (hello := next(commands, None)) is None:
        commands = channel.receive(wait=True)
    try:
        host = load(hello)
    except (RuntimeError, ValueError, IndexError, OSError) as error:
        logger.exception("The model cannot be loaded")
        channel.send(LoadFailed(last_line(error)))
        return
    channel.send(Ready())
    while True:
        for command in channel.receive(wait=not host.busy):
            if isinstance(command, Ping):
                channel.send(Pong())
            else:
                host.apply(command)
        if not host.busy:
            continue
        for message in host.step():
            channel.send(message)


def exit_with_parent(descriptor: int, end: Callable[[], None]) -> None:
    """Watch for the parent's end of the socket to close, also while a model loads, and then call `end`."""

    def watch() -> None:
        poll = select.poll()
        poll.register(descriptor, 0)  # 0: only POLLHUP and POLLERR, which cannot be left out
        poll.poll()
        end()

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def last_line(error: Exception) -> str:
    """The line of a native library's report that says what is wrong; those above say where in its source."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
