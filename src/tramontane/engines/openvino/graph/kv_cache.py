"""The keys and values of earlier tokens, as variables of the graph."""

import openvino as ov
from openvino import PartialShape, Type
from openvino import opset13 as ops

from tramontane.engines.openvino.graph.layers import repeat_heads
from tramontane.engines.openvino.graph.nodes import Node, integer, integers, number
from tramontane.weights.model import DecoderConfig


class KeyValueCache:
    """One variable [batch, kv_heads, tokens, head_size] for the keys of each layer, one for its values."""

    def __init__(self, config: DecoderConfig, batch: Node, beam_idx: Node) -> None:
        self._config = config
        self._batch = batch
        self._beam_idx = beam_idx
        empty = ops.concat([batch, integers(config.kv_heads, 0, config.head_size)], axis=0)
        self._empty = ops.broadcast(number(0), empty)
        self.assignments: list[Node] = []
        """The graph's sinks."""

    def append(self, layer: int, name: str, new: Node) -> Node:
        """Append `new` [batch, kv_heads, new tokens, head_size] to the "key" or "value" cache of `layer`.

        Returns all tokens so far, repeated for every query head: [batch, heads, tokens, head_size].
        """
        config = self._config
        info = ov.op.util.VariableInfo()
        info.data_shape = PartialShape([-1, config.kv_heads, -1, config.head_size])
        info.data_type = Type.f32
        info.variable_id = f"past_key_values.{layer}.{name}present.{layer}.{name}"
        variable = ov.op.util.Variable(info)
        past = ops.gather(ov.op.read_value(self._empty, variable), self._beam_idx, integer(0))
        tokens = ops.concat([past, new], axis=2)
        self.assignments.append(ov.op.assign(tokens, variable))
        return repeat_heads(tokens, config, self._batch)
