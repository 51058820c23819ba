"""Host of an embedding model in the worker process: batches of all requests that wait."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import openvino as ov

from tramontane.engines.openvino.embedding_batches import BATCH_TOKENS, EmbeddingBatches, padded_width
from tramontane.engines.openvino.messages import LoadEmbedding
from tramontane.engines.worker.messages import Abort, Embed, Vectors

_WARM_UP_SECONDS = 0.5
_WARM_UP_WIDTHS = range(8, 129, 8)


@dataclass(slots=True)
class _Request:
    inputs: Sequence[Sequence[int]]
    vectors: npt.NDArray[np.float32]
    left: int
    """Inputs without a vector."""


class EmbeddingHost:
    """The model in `hello.path` and the requests that wait for it."""

    def __init__(self, hello: LoadEmbedding) -> None:
        properties = {"INFERENCE_NUM_THREADS": hello.threads} if hello.threads else {}
        model = ov.Core().compile_model(f"{hello.path}/openvino_model.xml", "CPU", properties)
        self._dimension = model.output(0).get_partial_shape()[1].get_length()
        self._inference = model.create_infer_request()
        self._batches = EmbeddingBatches(hello.max_length)
        self._requests: dict[int, _Request] = {}
        self._warm_up(hello.max_length)

    @property
    def busy(self) -> bool:
        """Some input is still to do."""
        return bool(self._batches)

    def apply(self, command: Embed | Abort) -> None:
        """Begin or end a request."""
        match command:
            case Embed(id, inputs):
                vectors = np.empty((len(inputs), self._dimension), np.float32)
                self._requests[id] = _Request(inputs, vectors, len(inputs))
                self._batches.add(id, [len(tokens) for tokens in inputs])
            case Abort(id):
                self._requests.pop(id, None)
                self._batches.discard(id)

    def step(self) -> Sequence[msgspec.Struct]:
        """One batch, and the answers of the requests that it completes."""
        batch = self._batches.take()
        inputs = [self._requests[request_id].inputs[place] for request_id, place in batch.rows]
        vectors = self._infer(inputs, batch.width)
        for (request_id, place), vector in zip(batch.rows, vectors, strict=True):
            request = self._requests[request_id]
            request.vectors[place] = vector
            request.left -= 1
        return list(self._completed({request_id for request_id, _ in batch.rows}))

    def _completed(self, request_ids: set[int]) -> Iterator[Vectors]:
        for request_id in sorted(request_ids):
            if not self._requests[request_id].left:
                vectors = self._requests.pop(request_id).vectors
                yield Vectors(request_id, vectors.astype("<f4", copy=False).tobytes())

    def _infer(self, inputs: Sequence[Sequence[int]], width: int) -> npt.NDArray[np.float32]:
        token_ids = np.zeros((len(inputs), width), np.int64)
        mask = np.zeros((len(inputs), width), np.int64)
        for row, tokens in enumerate(inputs):
            token_ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        self._inference.infer({"input_ids": token_ids, "attention_mask": mask})
        vectors: npt.NDArray[np.float32] = self._inference.get_output_tensor(0).data
        return vectors

    def _warm_up(self, max_length: int) -> None:
        """The usual shapes, as far as the time goes: first a single text, then full batches."""
        widths = sorted({padded_width(width, max_length) for width in _WARM_UP_WIDTHS})
        shapes = [(1, width) for width in widths] + [
            (max(1, BATCH_TOKENS // width), width) for width in widths
        ]
        started = time.perf_counter()
        for rows, width in shapes:
            self._infer([[0] * width] * rows, width)
            if time.perf_counter() - started > _WARM_UP_SECONDS:
                return
