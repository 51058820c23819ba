"""Host of an embedding model in the worker process: batches of similar length, requests in turn."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import openvino as ov

from tramontane.engines.openvino.messages import LoadEmbedding
from tramontane.engines.worker.messages import Abort, Embed, Vectors

_BATCH_INPUTS = 8
"""More bring no speed, and make others wait longer."""
_BATCH_TOKENS = 2048
"""Padding included."""
_WIDTH_STEP = 16
"""Batches are this wide or a multiple of it: the library prepares itself for each new shape, which takes
longer than the padding, and remembers thousands of them, which takes memory."""
_WARM_UP_LENGTHS = (8, 64)


@dataclass(slots=True)
class _Job:
    inputs: list[list[int]]
    order: list[int]
    """Inputs that are still to do, by length; the shortest are last."""
    vectors: npt.NDArray[np.float32]


class EmbeddingHost:
    """The model in `hello.path` and the requests that wait for it."""

    def __init__(self, hello: LoadEmbedding) -> None:
        properties = {"INFERENCE_NUM_THREADS": hello.threads} if hello.threads else {}
        model = ov.Core().compile_model(f"{hello.path}/openvino_model.xml", "CPU", properties)
        self._max_length = hello.max_length
        self._dimension = model.output(0).get_partial_shape()[1].get_length()
        self._inference = model.create_infer_request()
        self._jobs: dict[int, _Job] = {}
        for length in _WARM_UP_LENGTHS:
            self._infer([[0] * min(length, self._max_length)])

    @property
    def busy(self) -> bool:
        """Some input is still to do."""
        return bool(self._jobs)

    def apply(self, command: Embed | Abort) -> None:
        """Begin or end a request."""
        match command:
            case Embed(id, inputs):
                order = sorted(range(len(inputs)), key=lambda i: len(inputs[i]), reverse=True)
                self._jobs[id] = _Job(inputs, order, np.empty((len(inputs), self._dimension), np.float32))
            case Abort(id):
                self._jobs.pop(id, None)

    def step(self) -> Sequence[msgspec.Struct]:
        """One batch of the request whose turn it is; then it goes to the end of the line."""
        job_id = next(iter(self._jobs))
        job = self._jobs.pop(job_id)
        batch = _take_batch(job)
        job.vectors[batch] = self._infer([job.inputs[i] for i in batch])
        if not job.order:
            return [Vectors(job_id, job.vectors.astype("<f4", copy=False).tobytes())]
        self._jobs[job_id] = job
        return []

    def _infer(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        width = _width(max(map(len, inputs)), self._max_length)
        token_ids = np.zeros((len(inputs), width), np.int64)
        mask = np.zeros((len(inputs), width), np.int64)
        for row, tokens in enumerate(inputs):
            token_ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        self._inference.infer({"input_ids": token_ids, "attention_mask": mask})
        vectors: npt.NDArray[np.float32] = self._inference.get_output_tensor(0).data
        return vectors


def _width(length: int, max_length: int) -> int:
    """Of a batch whose longest input has `length` tokens."""
    return min(-(-length // _WIDTH_STEP) * _WIDTH_STEP, max_length)


def _take_batch(job: _Job) -> list[int]:
    """The next inputs, shortest first, as many as one batch holds."""
    batch = [job.order.pop()]
    while job.order and len(batch) < _BATCH_INPUTS:
        width = len(job.inputs[job.order[-1]])
        if width * (len(batch) + 1) > _BATCH_TOKENS:
            break
        batch.append(job.order.pop())
    return batch
