"""The graph of a Llama-type decoder, in the form that OpenVINO GenAI's continuous batching takes.

The pipeline rewrites every `ScaledDotProductAttention` into a paged one. For that it wants

- the inputs `input_ids`, `attention_mask`, `position_ids` [batch, tokens] and `beam_idx` [batch],
- a key and a value cache for each layer as a variable: read, gathered by `beam_idx`, appended to, assigned,
- one output, `logits` [batch, tokens, vocabulary].
"""

import openvino as ov
from openvino import Type
from openvino import opset13 as ops

from tramontane.engines.openvino.graph.kv_cache import KeyValueCache
from tramontane.engines.openvino.graph.layers import DecoderLayers, window_of
from tramontane.engines.openvino.graph.masks import Masks
from tramontane.engines.openvino.graph.nodes import Node, dimension, named_result, parameter
from tramontane.engines.openvino.graph.weights import Weights
from tramontane.weights.model import DecoderConfig


def decoder_graph(config: DecoderConfig, weights: Weights) -> ov.Model:
    """The model, whose constants may share the memory of `weights`: keep that until the model is saved.

    Raises:
        ModelStoreError: a tensor is missing or does not fit.
    """
    input_ids = parameter("input_ids", [-1, -1], Type.i64)
    attention_mask = parameter("attention_mask", [-1, -1], Type.i64)
    position_ids = parameter("position_ids", [-1, -1], Type.i64)
    beam_idx = parameter("beam_idx", [-1], Type.i32)
    batch = dimension(input_ids, 0)
    cache = KeyValueCache(config, batch, beam_idx)
    masks = Masks(input_ids, attention_mask)

    def attention(layer: int, query: Node, key: Node, value: Node) -> Node:
        return ops.scaled_dot_product_attention(
            query,
            cache.append(layer, "key", key),
            cache.append(layer, "value", value),
            masks.of_window(window_of(config, layer)),
        )

    layers = DecoderLayers(config, weights, position_ids, batch, attention)
    hidden = layers.hidden_states(input_ids)
    output = layers.embedding if config.tied_embeddings else _output_projection(config, weights)
    logits = ops.matmul(hidden, output, transpose_a=False, transpose_b=True)
    inputs = [input_ids, attention_mask, position_ids, beam_idx]
    return ov.Model([named_result(logits, "logits")], cache.assignments, inputs, config.architecture)


def _output_projection(config: DecoderConfig, weights: Weights) -> Node:
    shape = (config.vocabulary_size, config.hidden_size)
    return weights.matrix("lm_head.weight", shape, precise=True)
