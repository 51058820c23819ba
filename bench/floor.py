"""The machine's own limits, measured: how fast it reads memory and multiplies matrices, all cores together.

A decoded token reads every weight once, a token of a prompt is multiplied with every weight once: nothing
that computes with these weights can be faster. What a token reads and computes beside (keys and values,
activations, the sampler) is not in it, so the floor is somewhat lower than what can be reached.
"""

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops

from tramontane.weights.artifact import Artifact

_READ_BYTES = 1 << 29
"""Far more than any cache holds."""
_SIZE = 2048
"""Rows and columns of the matrices: large enough that the processor is busy with arithmetic only."""
_ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Floor:
    """Of this machine."""

    bytes_per_second: float
    operations_per_second: float
    """Multiplications and additions, in the precision in which the engine multiplies here."""


def measure_floor() -> Floor:
    """The best of some rounds: what others do meanwhile is not the machine's limit."""
    return Floor(_read_rate(), _multiply_rate())


def decode_floor(artifact: Artifact, floor: Floor) -> float:
    """Tokens a second of one stream, if nothing but reading the converted weights took time.

    The table of embeddings counts once, for the output projection that shares it.
    """
    return floor.bytes_per_second / artifact.graph.with_suffix(".bin").stat().st_size


def prefill_floor(parameters: int, floor: Floor) -> float:
    """Prompt tokens a second, if nothing but multiplying with `parameters` weights took time."""
    return floor.operations_per_second / (2 * parameters)


def matrix_elements(artifact: Artifact) -> int:
    """Weights that each token of a prompt is multiplied with: those of all matrices but the embeddings'.

    The output projection is computed for the last token only, and shares the embeddings' matrix in the
    built-in model.
    """
    model = ov.Core().read_model(artifact.graph)
    total = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() == "MatMul":
            shape = node.input(1).get_partial_shape()
            elements = math.prod(shape.to_shape()) if shape.is_static else 0
            vocabulary = artifact.manifest.vocabulary_size
            total += 0 if shape.is_static and vocabulary in shape.to_shape() else elements
    return total


def section(artifact: Artifact, decoded: float, prefilled: float) -> str:
    """Of the page: `decoded` tokens a second of one stream and `prefilled` ones of a long prompt."""
    floor = measure_floor()
    decode = decode_floor(artifact, floor)
    prefill = prefill_floor(matrix_elements(artifact), floor)
    return _SECTION.format(
        megabytes=artifact.graph.with_suffix(".bin").stat().st_size / 1e6,
        gigabytes=floor.bytes_per_second / 1e9,
        gigaflops=floor.operations_per_second / 1e9,
        decode=decode,
        decoded=decoded,
        decode_share=decoded / decode,
        prefill=prefill,
        prefilled=prefilled,
        prefill_share=prefilled / prefill,
    )


_SECTION = """\
## The machine's limit

What the weights alone cost: a decoded token reads all of them ({megabytes:.0f} MB) once, a token of a prompt
is multiplied with all matrices once. Measured in the same run: {gigabytes:.1f} GB/s of memory read,
{gigaflops:.0f} billion operations a second in large matrix products of the engine's own library.

| | limit | served | share |
|---|---|---|---|
| decoding, 1 stream | {decode:.0f} tokens/s | {decoded:.0f} tokens/s | {decode_share:.2f} |
| a long prompt | {prefill:,.0f} tokens/s | {prefilled:,.0f} tokens/s | {prefill_share:.2f} |
"""


def _read_rate() -> float:
    """Bytes a second of a search through a large array, a part of it a core."""
    cores = len(os.sched_getaffinity(0))
    parts = np.array_split(np.ones(_READ_BYTES // 4, np.float32), cores)
    with ThreadPoolExecutor(cores) as pool:
        seconds = min(_timed(lambda: list(pool.map(np.max, parts))) for _ in range(_ROUNDS))
    return _READ_BYTES / seconds


def _multiply_rate() -> float:
    rng = np.random.default_rng(0)
    left = rng.normal(size=(_SIZE, _SIZE)).astype(np.float32)
    values = ops.parameter(left.shape, ov.Type.f32)
    right = ops.constant(rng.normal(size=(_SIZE, _SIZE)).astype(np.float32))
    model = ov.Model([ops.matmul(values, right, transpose_a=False, transpose_b=True)], [values], "multiply")
    return 2 * _SIZE**3 / _best(model, left)


def _best(model: ov.Model, data: npt.NDArray[np.float32]) -> float:
    """Seconds of the quickest inference."""
    request = ov.Core().compile_model(model, "CPU").create_infer_request()
    tensor = ov.Tensor(data)
    return min(_timed(lambda: request.infer([tensor])) for _ in range(_ROUNDS))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
