"""One server from its start to its stop, for `serve` and for the private server of `chat`."""

import asyncio
import signal
import threading
from collections.abc import Callable
from socket import socket

from uvicorn.loops.auto import auto_loop_factory

from tramontane.bootstrap import PreparedModels, RunningServer, build
from tramontane.cli.garbage import settle_garbage
from tramontane.cli.guarded_protocol import ConnectionPolicy
from tramontane.cli.http_server import HttpServer, StopPolicy
from tramontane.settings import Settings


class ServerRun:
    """Builds everything, serves until it is stopped, and closes everything."""

    def __init__(
        self,
        settings: Settings,
        prepared: PreparedModels,
        sockets: list[socket],
        on_ready: Callable[[RunningServer], None],
    ) -> None:
        self._settings = settings
        self._prepared = prepared
        self._sockets = sockets
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._start: asyncio.Task[None] | None = None
        self._http: HttpServer | None = None
        self._stopping = False

    def run(self) -> None:
        """Block until the server has stopped. In the main thread, Ctrl-C and SIGTERM stop it.

        Raises:
            KeyboardInterrupt: it was stopped before it was ready.
            TramontaneError: it could not start.
        """
        try:
            with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
                runner.run(self._serve())
        except asyncio.CancelledError as error:
            raise KeyboardInterrupt from error

    def stop(self) -> None:
        """Stop gracefully; when repeated, at once. May be called from any thread."""
        self._stopping = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._start = asyncio.current_task()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._loop.add_signal_handler(number, self._stop)
        if self._stopping:
            return
        async with build(self._settings, self._prepared) as running:
            self._http = HttpServer(
                running.app,
                lambda: self._on_ready(running),
                running.lifecycle,
                StopPolicy(self._settings.shutdown_delay, self._settings.shutdown_grace),
                ConnectionPolicy(self._settings.max_connections, self._settings.slow_client_timeout),
            )
            settle_garbage()
            await self._http.serve(self._sockets)

    def _stop(self) -> None:
        if self._http is not None:
            self._http.stop()
        elif self._start is not None:
            self._start.cancel()
