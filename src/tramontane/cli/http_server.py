"""Uvicorn as we run it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from tramontane.cli.http_protocol import HttpProtocol

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS: Final = 10
"""How long answers under way may go on after a stop was asked for."""


class HttpServer(uvicorn.Server):
    """Serves `app` on sockets that listen already, and says when it does.

    Signals are the command's business: it calls `stop`.
    """

    def __init__(self, app: ASGIApp, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=HttpProtocol,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                # Clients keep idle connections for 5 s or more, and fail if the server closes first.
                timeout_keep_alive=75,
            )
        )
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone. Uvicorn would kill the process with them before its engines are closed."""
        yield

    def stop(self) -> None:
        """Return from `serve` when no answer is under way any more, or time is up; when repeated, at once.

        Answers that go on then are not cancelled: they end when their engines are closed, and say so.
        """
        if self.should_exit:
            self.force_exit = True
            return
        self.should_exit = True
        if self.server_state.tasks:
            logger.info(
                "Stopping; answers under way may take %d seconds more. Ctrl-C stops at once", SHUTDOWN_SECONDS
            )
        asyncio.get_running_loop().call_later(SHUTDOWN_SECONDS, self.stop)

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start accepting."""
        await super().startup(sockets)
        self._on_ready()
