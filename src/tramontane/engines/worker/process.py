"""The parent's side of one worker process: its start, its messages, its output, its end."""

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from tramontane.engines.worker.framing import FrameDecoder, MessageType, encode_frame
from tramontane.engines.worker.messages import LoadFailed, Ping, Pong, Ready
from tramontane.engines.worker.watchdog import WatchPolicy, until_hung

logger = logging.getLogger(__name__)

_KEPT_LINES = 20


class WorkerDiedError(Exception):
    """The process ended by itself. The text says how, and holds its last words: for logs, not for clients."""


class LoadError(Exception):
    """The process says that the model cannot be loaded, and why."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What to run."""

    module: str
    """Run as `python -m module`; calls `run_worker`."""
    hello: msgspec.Struct
    """The first command: what to load."""
    reply_type: MessageType
    """Tagged union of `Ready`, `LoadFailed` and the host's own replies."""
    python: Path = Path(sys.executable)
    """The interpreter, perhaps of another environment."""
    root_cause: re.Pattern[str] | None = None
    """Finds in the output of an engine with processes of its own what kept it from loading the model: the
    group `cause` of the first line that matches says more than the engine does."""
    exit_grace: float = 3.0
    """Seconds that the process has for its end, once it was asked for."""


class WorkerProcess(asyncio.Protocol):
    """One child process, which is killed when it hangs.

    `on_reply` gets every reply but the first two kinds; `on_lost` is called once, in the moment in which
    the process is seen to be gone, unless `stop` ended it.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        on_reply: Callable[[Any], None],
        on_lost: Callable[[], None],
        watch: WatchPolicy | None = None,
    ) -> None:
        self._watch_policy = watch or WatchPolicy()
        self._watcher: asyncio.Task[None] | None = None
        self._hung: str | None = None
        self._received = 0
        self._spec = spec
        self._on_reply = on_reply
        self._on_lost = on_lost
        self._decoder = FrameDecoder(spec.reply_type)
        self._outcome: Ready | LoadFailed | None = None
        self._decided = asyncio.Event()
        self._lost = asyncio.Event()
        self._output = _Output(spec.root_cause)
        self._transport: asyncio.WriteTransport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Run the process and wait until its model is loaded. Whatever happens, `stop` must follow.

        Raises:
            LoadError: it says that the model cannot be loaded.
            WorkerDiedError: it ended before it could say anything, or could not be run at all.
        """
        await self._spawn()
        self.send(self._spec.hello)
        await self._decided.wait()
        match self._outcome:
            case None:
                raise WorkerDiedError(await self.wait_for_end())
            case LoadFailed(message):
                raise LoadError(self._output.cause or message)

    async def _spawn(self) -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            transport, _ = await loop.create_unix_connection(lambda: self, sock=ours)
            self._transport = cast("asyncio.WriteTransport", transport)
            try:
                self._process = _run(self._spec, theirs)
            except OSError as error:
                raise WorkerDiedError(f"cannot be run: {error}") from error
        assert self._process.stdout is not None
        await loop.connect_read_pipe(lambda: self._output, self._process.stdout)
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self._process.pid}")

    async def _watch(self) -> None:
        self._hung = await until_hung(self, self._watch_policy)
        assert self._process is not None
        self._process.kill()

    @property
    def pid(self) -> int | None:
        """Of the child, once it runs."""
        return self._process.pid if self._process else None

    @property
    def is_loading(self) -> bool:
        """It has not yet said that its model is loaded."""
        return self._outcome is None

    @property
    def received(self) -> int:
        """Grows with everything that it says."""
        return self._received

    def ask(self) -> None:
        """Make it say something, once its model is loaded."""
        if not self.is_loading:
            self.send(Ping())

    def send(self, command: msgspec.Struct) -> None:
        """Queue a command; nothing happens if the process is gone, since `on_lost` tells of that."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_frame(command))

    async def wait_for_end(self) -> str:
        """Wait until the process is gone; then how it ended, with its last words."""
        await self._lost.wait()
        process = self._process
        assert process is not None
        try:
            code = await asyncio.to_thread(process.wait, self._spec.exit_grace)
        except subprocess.TimeoutExpired:
            process.kill()
            code = await asyncio.to_thread(process.wait)
        _end_group(process.pid)
        await self._output.ended.wait()
        return "\n".join((self._hung or _describe_exit(code), *self._output.lines))

    async def stop(self) -> None:
        """End the process: politely, then not. Returns when it is gone."""
        self._stopping = True
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        if self._transport is not None:
            self._transport.close()
            await self._lost.wait()
        if self._process is not None:
            await self.wait_for_end()

    def data_received(self, data: bytes) -> None:
        """Decode and hand on what has come."""
        self._received += 1
        for reply in self._decoder.feed(data):
            match reply:
                case Pong():
                    pass
                case Ready() | LoadFailed():
                    self._outcome = reply
                    self._decided.set()
                case _:
                    self._on_reply(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process has closed its end, which it does only by ending."""
        del exc
        if self._watcher is not None:
            self._watcher.cancel()
        self._lost.set()
        self._decided.set()
        if not self._stopping:
            self._on_lost()


class _Output(asyncio.Protocol):
    """What the process prints: the last lines are kept for the report of a crash."""

    def __init__(self, root_cause: re.Pattern[str] | None) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.cause: str | None = None
        self.ended = asyncio.Event()
        self._root_cause = root_cause
        self._partial = b""

    def data_received(self, data: bytes) -> None:
        """Log whole lines."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace")
            self.lines.append(text)
            logger.debug("%s", text)
            if self._root_cause is not None and self.cause is None:
                found = self._root_cause.search(text)
                self.cause = found["cause"] if found else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Every end of the pipe is closed: the process is gone."""
        del exc
        self.ended.set()


def _run(spec: WorkerSpec, sock: socket.socket) -> subprocess.Popen[bytes]:
    descriptor = sock.fileno()
    # -P: a file in the current folder must not shadow a module. A session of its own: Ctrl-C in a terminal
    # reaches the server alone, which then ends its workers in order.
    return subprocess.Popen(  # noqa: S603 - the operator's interpreter and our own module
        [spec.python, "-P", "-m", spec.module, str(descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[descriptor],
        start_new_session=True,
    )


def _end_group(process_id: int) -> None:
    """End what the process has started and left behind: it led a group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process_id, signal.SIGKILL)


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
