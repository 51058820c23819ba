"""Vectors that come from a worker."""

import asyncio
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tramontane.engines.checks import check_input
from tramontane.engines.protocol import EngineInfo
from tramontane.engines.worker.engine import WorkerEngine, error_of
from tramontane.engines.worker.messages import Abort, Embed, Failed, Reply, Vectors
from tramontane.engines.worker.process import WorkerSpec
from tramontane.engines.worker.supervisor import RestartPolicy
from tramontane.errors import ApiError


class WorkerEmbeddingEngine(WorkerEngine):
    """Turns texts into vectors in a worker that takes `Embed` and `Abort`; otherwise as `WorkerEngine`."""

    def __init__(self, info: EngineInfo, name: str, spec: WorkerSpec, policy: RestartPolicy | None) -> None:
        super().__init__(info, name, spec, policy)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    async def embed(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """The vectors of `inputs`; see the protocol."""
        for token_ids in inputs:
            check_input(token_ids, self._info)
        command = Embed(next(self._ids), [list(token_ids) for token_ids in inputs])
        worker = await self._supervisor.worker()
        dimension = self._info.embedding_dimension or 0
        if not inputs:
            return np.empty((0, dimension), np.float32)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[command.id] = answer
        worker.send(command)
        try:
            data = await answer
        finally:
            if self._waiting.pop(command.id, None) is not None:
                worker.send(Abort(command.id))
        return np.frombuffer(data, "<f4").reshape(len(inputs), dimension)

    def _deliver(self, reply: Reply) -> None:
        match reply:
            case Vectors(id, data):
                if answer := self._take_waiting(id):
                    answer.set_result(data)
            case Failed(id):
                if answer := self._take_waiting(id):
                    answer.set_exception(error_of(reply))

    def _take_waiting(self, request_id: int) -> asyncio.Future[bytes] | None:
        """The future of a request that nobody has cancelled."""
        answer = self._waiting.pop(request_id, None)
        return None if answer is None or answer.done() else answer

    def _fail_all(self, error: ApiError) -> None:
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(error)
