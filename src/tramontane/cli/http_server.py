"""Uvicorn as we run it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket

import uvicorn
from starlette.types import ASGIApp

from tramontane.cli.guarded_protocol import ConnectionPolicy, GuardedProtocol
from tramontane.core.lifecycle import Lifecycle

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StopPolicy:
    """Both in seconds."""

    delay: float = 0.0
    """For which requests are still taken after a stop was asked for."""
    grace: float = 25.0
    """For which answers under way may go on then."""


class HttpServer(uvicorn.Server):
    """Serves `app` on sockets that listen already, and says when it does.

    Signals are the command's business: it calls `stop`.
    """

    def __init__(
        self,
        app: ASGIApp,
        on_ready: Callable[[], None],
        lifecycle: Lifecycle | None = None,
        policy: StopPolicy | None = None,
        connections: ConnectionPolicy | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_guarded(connections or ConnectionPolicy()),
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
        self._lifecycle = lifecycle or Lifecycle()
        self._policy = policy or StopPolicy()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone. Uvicorn would kill the process with them before its engines are closed."""
        yield

    def stop(self) -> None:
        """Return from `serve` when no answer is under way any more, or time is up; when repeated, at once.

        At first the server is not ready any more, then refuses new requests, and at last leaves its address.
        Answers that go on after all are not cancelled: they end when their engines are closed, and say so.
        """
        if self._lifecycle.is_stopping:
            self._leave()
            return
        self._lifecycle.stop()
        if self.server_state.tasks:
            logger.info(
                "Stopping; answers under way may take %g seconds more. Ctrl-C stops at once",
                self._policy.delay + self._policy.grace,
            )
        asyncio.get_running_loop().call_later(self._policy.delay, self._lifecycle.refuse)
        asyncio.get_running_loop().call_later(self._policy.delay + self._policy.grace, self._leave)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to leave, because all that was under way is answered."""
        done = self._lifecycle.is_refusing and not self.server_state.tasks
        return await super().on_tick(counter) or done

    def _leave(self) -> None:
        self._lifecycle.refuse()
        self.should_exit = self.force_exit = True

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start accepting."""
        await super().startup(sockets)
        self._on_ready()


def _guarded(connections: ConnectionPolicy) -> type[GuardedProtocol]:
    """Uvicorn makes the protocols itself, and gives them nothing of ours."""
    return type("GuardedProtocol", (GuardedProtocol,), {"policy": connections})
