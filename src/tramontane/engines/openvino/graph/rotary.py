"""Rotary position embedding of queries and keys."""

import numpy as np
import numpy.typing as npt
from openvino import Type
from openvino import opset13 as ops

from tramontane.engines.openvino.graph.nodes import Node, integer, integers, number
from tramontane.weights.rope import QueryScaling

_TO_THE_END = (1 << 63) - 1


class RotaryEmbedding:
    """The turns of one batch of positions, used by every layer."""

    def __init__(
        self,
        inverse_frequencies: npt.NDArray[np.float32],
        position_ids: Node,
        batch: Node,
        magnitude: float = 1.0,
    ) -> None:
        self._half = len(inverse_frequencies)
        frequencies = ops.broadcast(
            ops.constant(inverse_frequencies.reshape(1, -1, 1)),
            ops.concat([batch, integers(1, 1)], axis=0),
            broadcast_spec="BIDIRECTIONAL",
        )
        positions = ops.convert(ops.unsqueeze(position_ids, integer(1)), Type.f32)
        angles = ops.transpose(
            ops.matmul(frequencies, positions, transpose_a=False, transpose_b=False), integers(0, 2, 1)
        )
        both_halves = ops.concat([angles, angles], axis=-1)
        cosines, sines = ops.cos(both_halves), ops.sin(both_halves)
        if magnitude != 1.0:
            cosines, sines = (ops.multiply(turn, number(magnitude)) for turn in (cosines, sines))
        self._cosines = ops.unsqueeze(cosines, integer(1))
        self._sines = ops.unsqueeze(sines, integer(1))

    def rotate(self, heads: Node) -> Node:
        """[batch, heads, tokens, head_size], each pair being the same place in the two halves of a head."""
        first = self._slice(heads, 0, self._half)
        second = self._slice(heads, self._half, _TO_THE_END)
        turned = ops.concat([ops.multiply(second, number(-1)), first], axis=-1)
        return ops.add(ops.multiply(heads, self._cosines), ops.multiply(turned, self._sines))

    @staticmethod
    def _slice(heads: Node, start: int, stop: int) -> Node:
        return ops.slice(heads, integers(start), integers(stop), integers(1), integers(3))


def query_scale(scaling: QueryScaling, position_ids: Node) -> Node:
    """What the queries of each position are multiplied by: [batch, 1, tokens, 1]."""
    positions = ops.convert(position_ids, Type.f32)
    lengths = ops.floor(ops.divide(positions, number(scaling.length)))
    grown = ops.multiply(ops.log(ops.add(lengths, number(1))), number(scaling.beta))
    return ops.unsqueeze(ops.add(grown, number(1)), integers(1, 3))
