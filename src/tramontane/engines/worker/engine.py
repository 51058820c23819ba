"""What the engines with a worker have in common: its life, and requests that wait for what it says."""

import itertools
import logging
from abc import ABC, abstractmethod

from tramontane.engines.protocol import EngineInfo
from tramontane.engines.worker.messages import Failed, Reply
from tramontane.engines.worker.process import WorkerSpec
from tramontane.engines.worker.supervisor import RestartPolicy, Supervisor
from tramontane.errors import ApiError, EngineError, EngineUnavailableError, InvalidRequestError

logger = logging.getLogger(__name__)


class WorkerEngine(ABC):
    """An engine whose model is in a process of its own.

    Args:
        info: of the model, once it is loaded.
        name: of the model, in logs and errors.
        spec: the process.
        policy: of the restarts of a worker that died.
    """

    def __init__(self, info: EngineInfo, name: str, spec: WorkerSpec, policy: RestartPolicy | None) -> None:
        self._info = info
        self._ids = itertools.count()
        self._supervisor = Supervisor(
            name,
            spec,
            on_reply=self._deliver,
            on_lost=lambda: self._fail_all(EngineError()),
            policy=policy,
        )

    @property
    def info(self) -> EngineInfo:
        """Known once `start` has returned."""
        if not self._supervisor.started:
            raise EngineUnavailableError
        return self._info

    @property
    def worker_pid(self) -> int | None:
        """The process that holds the model; another after a restart, None during one."""
        return self._supervisor.worker_pid

    @property
    def restarts(self) -> int:
        """How often the worker was started again."""
        return self._supervisor.restarts

    async def start(self) -> None:
        """Run the worker and load the model."""
        await self._supervisor.start()

    async def close(self) -> None:
        """End the worker and with it all requests."""
        self._fail_all(EngineUnavailableError())
        await self._supervisor.close()

    async def check_health(self) -> None:
        """Raise EngineUnavailableError unless the worker is ready."""
        self._supervisor.check()

    @abstractmethod
    def _deliver(self, reply: Reply) -> None:
        """Hand on what the worker says."""

    @abstractmethod
    def _fail_all(self, error: ApiError) -> None:
        """End every request that runs."""


def error_of(failed: Failed) -> ApiError:
    """What the client of a failed request is told; the log has the rest."""
    logger.warning("Request %d failed in the worker: %s", failed.id, failed.message)
    match failed.reason:
        case "invalid":
            return InvalidRequestError(failed.message)
        case "busy":
            return EngineUnavailableError()
        case "engine":
            return EngineError()
