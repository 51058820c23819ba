"""Which tokens each token looks at: 0 where it may, a large negative number where not.

Masks are [batch, 1, tokens, tokens so far]. The paged attention of the pipeline ignores them but for the
width of a window, which it reads off the mask; with them the graph is also right outside of the pipeline.
"""

import numpy as np
from openvino import Type
from openvino import opset13 as ops

from tramontane.engines.openvino.graph.nodes import Node, dimension, integer, integers, number

_HIDDEN = -65504
"""The lowest number of 16 bits."""


class Masks:
    """The masks of one batch; layers with the same window share one."""

    def __init__(self, input_ids: Node, attention_mask: Node) -> None:
        self._input_ids = input_ids
        self._attention_mask = attention_mask
        so_far, new = dimension(attention_mask, 1), dimension(input_ids, 1)
        axis = integers(0)
        end = ops.squeeze(so_far, axis)
        key_positions = ops.range(integer(0), end, integer(1), "i64")
        query_positions = ops.range(ops.squeeze(ops.subtract(so_far, new), axis), end, integer(1), "i64")
        self._keys = ops.unsqueeze(key_positions, integer(0))
        self._queries = ops.unsqueeze(query_positions, integer(1))
        self._causal = ops.less_equal(self._keys, self._queries)
        self._present = ops.convert(ops.unsqueeze(attention_mask, integers(1, 2)), Type.boolean)
        self._by_window: dict[int, Node] = {}

    def of_window(self, window: int) -> Node:
        """For tokens that see so many, themselves included; 0 is all before them."""
        if window not in self._by_window:
            self._by_window[window] = self._sliding(window) if window else self._full()
        return self._by_window[window]

    def _full(self) -> Node:
        allowed = ops.logical_and(ops.unsqueeze(self._causal, integers(0, 1)), self._present)
        return ops.select(allowed, number(0), number(_HIDDEN))

    def _sliding(self, window: int) -> Node:
        """In the one form that the pipeline recognises: it looks for these operations, in this order."""
        rank_4 = integers(0, 1)
        keys, queries = ops.unsqueeze(self._keys, rank_4), ops.unsqueeze(self._queries, rank_4)
        near = ops.greater(keys, ops.add(queries, integer(-window)))
        always = ops.constant(np.ones((), np.bool_))
        inner = ops.bitwise_and(ops.bitwise_and(always, near), ops.unsqueeze(self._causal, rank_4))
        allowed = ops.bitwise_and(ops.bitwise_and(always, inner), self._present)
        batch, new = dimension(self._input_ids, 0), dimension(self._input_ids, 1)
        so_far = dimension(self._attention_mask, 1)
        whole = ops.broadcast(
            allowed, ops.concat([batch, integers(1), new, so_far], axis=0), broadcast_spec="BIDIRECTIONAL"
        )
        mask = ops.select(whole, number(0), number(_HIDDEN))
        return ops.slice(mask, integers(0), so_far, integers(1), integers(3))
