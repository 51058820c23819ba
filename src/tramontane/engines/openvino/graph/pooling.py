"""The vectors of a text's tokens as one vector."""

from openvino import Type
from openvino import opset13 as ops

from tramontane.engines.openvino.graph.nodes import Node, integer, integers, number
from tramontane.weights.model import SentenceConfig


def sentence_vector(hidden: Node, attention_mask: Node, config: SentenceConfig) -> Node:
    """[batch, tokens, size] → [batch, size]. Texts are padded on the right, if at all."""
    vector = _pooled(hidden, attention_mask, config)
    return ops.normalize_l2(vector, integers(1), 1e-12, "max") if config.normalized else vector


def _pooled(hidden: Node, attention_mask: Node, config: SentenceConfig) -> Node:
    if config.pooling == "cls":
        return ops.gather(hidden, integer(0), integer(1))
    present = ops.convert(attention_mask, Type.f32)
    if config.pooling == "last":
        # The token at which the count of those so far reaches the count of all.
        so_far = ops.cum_sum(present, integer(1))
        all_tokens = ops.reduce_sum(present, integers(1), keep_dims=True)
        present = ops.multiply(present, ops.convert(ops.equal(so_far, all_tokens), Type.f32))
    weights = ops.unsqueeze(present, integer(2))
    total = ops.reduce_sum(ops.multiply(hidden, weights), integers(1), keep_dims=False)
    count = ops.maximum(ops.reduce_sum(weights, integers(1), keep_dims=False), number(1e-9))
    return ops.divide(total, count)
