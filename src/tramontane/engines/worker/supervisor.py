"""Keeps one worker process alive: restarts it when it dies, and lets requests wait for that."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tramontane.engines.worker.process import LoadError, WorkerDiedError, WorkerProcess, WorkerSpec
from tramontane.engines.worker.watchdog import WatchPolicy
from tramontane.errors import EngineUnavailableError, ModelStoreError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """All in seconds."""

    first_loads: int = 2
    """Crashes while loading that `start` puts up with before it calls the model damaged."""
    longest_wait: float = 30.0
    """How long a request waits for a worker that restarts."""
    first_delay: float = 0.5
    """Pause before the second restart in a row; the first comes at once, and each later one doubles it."""
    longest_delay: float = 30.0
    stable_after: float = 60.0
    """A worker that lived this long has not failed in a row."""
    watch: WatchPolicy = field(default_factory=WatchPolicy)
    """When a worker counts as hung, and is killed."""


class Supervisor:
    """The one worker of an engine, whichever process it is at the moment."""

    def __init__(
        self,
        name: str,
        spec: WorkerSpec,
        *,
        on_reply: Callable[[Any], None],
        on_lost: Callable[[], None],
        policy: RestartPolicy | None = None,
    ) -> None:
        self._name = name
        self._spec = spec
        self._on_reply = on_reply
        self._on_lost = on_lost
        self._policy = policy or RestartPolicy()
        self._worker: WorkerProcess | None = None
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False
        self._restarts = 0

    async def start(self) -> None:
        """Run the worker. Returns when its model is loaded.

        Raises:
            ModelStoreError: the model cannot be loaded.
            EngineUnavailableError: closed meanwhile.
        """
        worker = await self._first_worker()
        if self._closed:
            await worker.stop()
            raise EngineUnavailableError
        self._keeper = asyncio.create_task(self._keep(worker), name=f"keep {self._name}")
        self._set_worker(worker)

    async def worker(self) -> WorkerProcess:
        """The running worker; waits for a restart to end.

        Raises:
            EngineUnavailableError: not started, closed, or the restart takes too long.
        """
        if self._worker is None and self.started and not self._closed:
            await self._next_worker()
        if self._worker is None:
            raise EngineUnavailableError
        return self._worker

    @property
    def started(self) -> bool:
        """`start` has returned, however the worker is now."""
        return self._keeper is not None

    @property
    def worker_pid(self) -> int | None:
        """The process that serves now, if one does."""
        return self._worker.pid if self._worker else None

    @property
    def restarts(self) -> int:
        """How often a worker that ended has been replaced."""
        return self._restarts

    def check(self) -> None:
        """Return if a command would be obeyed now.

        Raises:
            EngineUnavailableError: not started, restarting or closed.
        """
        if self._worker is None:
            raise EngineUnavailableError

    async def close(self) -> None:
        """End the worker for good. Requests that wait for it are refused."""
        self._closed = True
        self._up.set()
        worker, self._worker = self._worker, None
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if worker is not None:
            await worker.stop()

    async def _next_worker(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._policy.longest_wait):
                while self._worker is None and not self._closed:
                    await self._up.wait()

    def _set_worker(self, worker: WorkerProcess) -> None:
        self._worker = worker
        self._up.set()

    async def _first_worker(self) -> WorkerProcess:
        for _ in range(self._policy.first_loads):
            try:
                return await self._load()
            except LoadError as error:
                raise ModelStoreError(f"The model in {self._name} cannot be loaded: {error}") from error
            except WorkerDiedError as error:
                logger.warning("The worker of %s died while it loaded the model: %s", self._name, error)
        raise ModelStoreError(
            f"The model in {self._name} cannot be loaded: the worker died at it, more than once. "
            "The files may be damaged (delete the folder to make them again), or the memory too small."
        )

    async def _load(self) -> WorkerProcess:
        worker = WorkerProcess(self._spec, self._on_reply, self._lose, self._policy.watch)
        try:
            await worker.start()
        except BaseException:
            await worker.stop()
            raise
        return worker

    def _lose(self) -> None:
        if self._worker is None:
            return  # it died while it loaded: nobody had it yet
        self._worker = None
        self._up.clear()
        self._on_lost()

    async def _keep(self, worker: WorkerProcess) -> None:
        """Restart the worker each time that it ends. Runs until `close` cancels it."""
        delay = 0.0
        while True:
            born = time.monotonic()
            ending = await worker.wait_for_end()
            self._lose()  # if it died in the moment in which it became ready, nobody has been told
            logger.error("The worker of %s died and is restarted: %s", self._name, ending)
            if time.monotonic() - born > self._policy.stable_after:
                delay = 0.0
            worker, delay = await self._restart(delay)
            self._restarts += 1
            self._set_worker(worker)

    async def _restart(self, delay: float) -> tuple[WorkerProcess, float]:
        while True:
            await asyncio.sleep(delay)
            delay = min(max(delay * 2, self._policy.first_delay), self._policy.longest_delay)
            try:
                return await self._load(), delay
            except (WorkerDiedError, LoadError) as error:
                logger.error("The worker of %s cannot be restarted: %s", self._name, error)  # noqa: TRY400
