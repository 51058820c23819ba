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
from tramontane.engines.openvino.graph.nodes import (
    Node,
    dimension,
    integer,
    integers,
    merge_heads,
    named_result,
    number,
    parameter,
    split_heads,
    vector,
)
from tramontane.engines.openvino.graph.rotary import RotaryEmbedding
from tramontane.engines.openvino.graph.weights import Weights
from tramontane.weights.model import DecoderConfig


def decoder_graph(config: DecoderConfig, weights: Weights) -> ov.Model:
    """The model, whose constants may share the memory of `weights`: keep that until the model is saved.

    Raises:
        ModelStoreError: a tensor is missing or does not fit.
    """
    return _Decoder(config, weights).build()


class _Decoder:
    def __init__(self, config: DecoderConfig, weights: Weights) -> None:
        self._config = config
        self._weights = weights
        self._input_ids = parameter("input_ids", [-1, -1], Type.i64)
        self._attention_mask = parameter("attention_mask", [-1, -1], Type.i64)
        self._position_ids = parameter("position_ids", [-1, -1], Type.i64)
        self._beam_idx = parameter("beam_idx", [-1], Type.i32)
        self._batch = dimension(self._input_ids, 0)
        self._rotary = RotaryEmbedding(config.inverse_frequencies, self._position_ids, self._batch)
        self._cache = KeyValueCache(config, self._batch, self._beam_idx)
        self._mask = _causal_mask(self._input_ids, self._attention_mask)

    def build(self) -> ov.Model:
        config = self._config
        embedding = self._weights.matrix(
            "model.embed_tokens.weight", (config.vocabulary_size, config.hidden_size)
        )
        hidden = ops.gather(embedding, ops.convert(self._input_ids, Type.i32), integer(0))
        for layer in range(config.layers):
            hidden = self._layer(hidden, layer)
        hidden = self._norm(hidden, "model.norm")
        output = embedding if config.tied_embeddings else self._output_projection()
        logits = ops.matmul(hidden, output, transpose_a=False, transpose_b=True)
        inputs = [self._input_ids, self._attention_mask, self._position_ids, self._beam_idx]
        return ov.Model(
            [named_result(logits, "logits")], self._cache.assignments, inputs, config.architecture
        )

    def _layer(self, hidden: Node, layer: int) -> Node:
        prefix = f"model.layers.{layer}"
        attended = self._attention(self._norm(hidden, f"{prefix}.input_layernorm"), layer)
        hidden = ops.add(hidden, attended)
        fed = self._feed_forward(self._norm(hidden, f"{prefix}.post_attention_layernorm"), layer)
        return ops.add(hidden, fed)

    def _attention(self, hidden: Node, layer: int) -> Node:
        config, prefix = self._config, f"model.layers.{layer}.self_attn"
        queries, keys = config.heads * config.head_size, config.kv_heads * config.head_size
        query = self._linear(hidden, f"{prefix}.q_proj", queries, config.hidden_size)
        key = self._linear(hidden, f"{prefix}.k_proj", keys, config.hidden_size)
        value = self._linear(hidden, f"{prefix}.v_proj", keys, config.hidden_size)
        query = self._rotary.rotate(split_heads(query, config.heads, config.head_size))
        key = self._rotary.rotate(split_heads(key, config.kv_heads, config.head_size))
        value = split_heads(value, config.kv_heads, config.head_size)
        attended = ops.scaled_dot_product_attention(
            query,
            self._cache.append(layer, "key", key),
            self._cache.append(layer, "value", value),
            self._mask,
        )
        return self._linear(merge_heads(attended, queries), f"{prefix}.o_proj", config.hidden_size, queries)

    def _feed_forward(self, hidden: Node, layer: int) -> Node:
        inner, outer, prefix = (
            self._config.feed_forward_size,
            self._config.hidden_size,
            f"model.layers.{layer}.mlp",
        )
        gate = ops.swish(self._linear(hidden, f"{prefix}.gate_proj", inner, outer))
        up = self._linear(hidden, f"{prefix}.up_proj", inner, outer)
        return self._linear(ops.multiply(gate, up), f"{prefix}.down_proj", outer, inner)

    def _output_projection(self) -> Node:
        return self._weights.matrix(
            "lm_head.weight", (self._config.vocabulary_size, self._config.hidden_size)
        )

    def _linear(self, hidden: Node, name: str, outputs: int, inputs: int) -> Node:
        matrix = self._weights.matrix(f"{name}.weight", (outputs, inputs))
        product = ops.matmul(hidden, matrix, transpose_a=False, transpose_b=True)
        if f"{name}.bias" not in self._weights:
            return product
        return ops.add(product, vector(self._weights.vector(f"{name}.bias", outputs)))

    def _norm(self, hidden: Node, name: str) -> Node:
        """RMS norm, in the form that the plugin fuses into one operation."""
        mean_square = ops.reduce_mean(ops.power(hidden, number(2)), integers(-1), keep_dims=True)
        inverse = ops.divide(number(1), ops.sqrt(ops.add(mean_square, number(self._config.rms_epsilon))))
        weight = self._weights.vector(f"{name}.weight", self._config.hidden_size)
        return ops.multiply(ops.multiply(hidden, inverse), vector(weight))


def _causal_mask(input_ids: Node, attention_mask: Node) -> Node:
    """0 where a token may look, a large negative number where not: [batch, 1, tokens, tokens so far].

    The paged attention ignores it; with it the graph is also right outside of the pipeline.
    """
    so_far, new = dimension(attention_mask, 1), dimension(input_ids, 1)
    axis = integers(0)
    end = ops.squeeze(so_far, axis)
    key_positions = ops.range(integer(0), end, integer(1), "i64")
    query_positions = ops.range(ops.squeeze(ops.subtract(so_far, new), axis), end, integer(1), "i64")
    causal = ops.less_equal(
        ops.unsqueeze(key_positions, integer(0)), ops.unsqueeze(query_positions, integer(1))
    )
    present = ops.convert(ops.unsqueeze(attention_mask, integers(1, 2)), Type.boolean)
    allowed = ops.logical_and(ops.unsqueeze(causal, integers(0, 1)), present)
    return ops.select(allowed, number(0), number(-65504))
