"""The graph of a decoder that ends in one vector a text: nothing is cached, every text is read once."""

import openvino as ov
from openvino import Type
from openvino import opset13 as ops

from tramontane.engines.openvino.graph.layers import DecoderLayers, repeat_heads, window_of
from tramontane.engines.openvino.graph.masks import Masks
from tramontane.engines.openvino.graph.nodes import (
    Node,
    dimension,
    integer,
    integers,
    named_result,
    parameter,
)
from tramontane.engines.openvino.graph.pooling import sentence_vector
from tramontane.engines.openvino.graph.weights import Weights
from tramontane.weights.model import EmbedderConfig


def embedder_graph(config: EmbedderConfig, weights: Weights) -> ov.Model:
    """The model, whose constants may share the memory of `weights`: keep that until the model is saved.

    Inputs `input_ids` and `attention_mask` [batch, tokens], texts padded on the right; output
    `sentence_embedding` [batch, hidden_size].

    Raises:
        ModelStoreError: a tensor is missing or does not fit.
    """
    decoder = config.decoder
    input_ids = parameter("input_ids", [-1, -1], Type.i64)
    attention_mask = parameter("attention_mask", [-1, -1], Type.i64)
    batch = dimension(input_ids, 0)
    masks = Masks(input_ids, attention_mask)

    def attention(layer: int, query: Node, key: Node, value: Node) -> Node:
        return ops.scaled_dot_product_attention(
            query,
            repeat_heads(key, decoder, batch),
            repeat_heads(value, decoder, batch),
            masks.of_window(window_of(decoder, layer)),
        )

    layers = DecoderLayers(decoder, weights, _positions(input_ids), batch, attention)
    vector = sentence_vector(layers.hidden_states(input_ids), attention_mask, config.sentence)
    inputs = [input_ids, attention_mask]
    return ov.Model([named_result(vector, "sentence_embedding")], inputs, decoder.architecture)


def _positions(input_ids: Node) -> Node:
    """0, 1, 2 …, the same for each text: [batch, tokens]."""
    count = ops.squeeze(dimension(input_ids, 1), integers(0))
    row = ops.unsqueeze(ops.range(integer(0), count, integer(1), "i64"), integer(0))
    return ops.broadcast(row, ops.shape_of(input_ids))
