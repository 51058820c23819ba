"""The layers of a Llama-type transformer: norms, rotated attention, SwiGLU. How to attend is given."""

from collections.abc import Callable

from openvino import Type
from openvino import opset13 as ops

from tramontane.engines.openvino.graph.nodes import (
    Node,
    integer,
    integers,
    merge_heads,
    number,
    split_heads,
    vector,
)
from tramontane.engines.openvino.graph.rotary import RotaryEmbedding, query_scale
from tramontane.engines.openvino.graph.weights import Weights
from tramontane.weights.model import DecoderConfig

Attention = Callable[[int, Node, Node, Node], Node]
"""Layer, queries [batch, heads, tokens, head_size], keys and values of its own heads → what queries find."""

EMBEDDING = "model.embed_tokens.weight"


class DecoderLayers:
    """Token ids to hidden states, with the tensors that Hugging Face names `model.…`."""

    def __init__(
        self, config: DecoderConfig, weights: Weights, position_ids: Node, batch: Node, attention: Attention
    ) -> None:
        self._config = config
        self._weights = weights
        self._attention = attention
        self._rotary = RotaryEmbedding(
            config.inverse_frequencies, position_ids, batch, config.rotary_magnitude
        )
        self._query_scale = query_scale(config.query_scaling, position_ids) if config.query_scaling else None
        self.embedding = weights.matrix(EMBEDDING, (config.vocabulary_size, config.hidden_size), precise=True)

    def hidden_states(self, input_ids: Node) -> Node:
        """[batch, tokens] → [batch, tokens, hidden_size], after the last norm."""
        hidden = ops.gather(self.embedding, ops.convert(input_ids, Type.i32), integer(0))
        for layer in range(self._config.layers):
            hidden = self._layer(hidden, layer)
        return self._norm(hidden, "model.norm", self._config.hidden_size)

    def _layer(self, hidden: Node, layer: int) -> Node:
        prefix, size = f"model.layers.{layer}", self._config.hidden_size
        attended = self._attend(self._norm(hidden, f"{prefix}.input_layernorm", size), layer)
        hidden = ops.add(hidden, attended)
        fed = self._feed_forward(self._norm(hidden, f"{prefix}.post_attention_layernorm", size), layer)
        return ops.add(hidden, fed)

    def _attend(self, hidden: Node, layer: int) -> Node:
        config, prefix = self._config, f"model.layers.{layer}.self_attn"
        query = self._rotary.rotate(self._heads(hidden, f"{prefix}.q", config.heads))
        key = self._rotary.rotate(self._heads(hidden, f"{prefix}.k", config.kv_heads))
        keys, queries = config.kv_heads * config.head_size, config.heads * config.head_size
        value = self._linear(hidden, f"{prefix}.v_proj", keys, config.hidden_size)
        if self._query_scale is not None:
            query = ops.multiply(query, self._query_scale)
        attended = self._attention(layer, query, key, split_heads(value, config.kv_heads, config.head_size))
        return self._linear(merge_heads(attended, queries), f"{prefix}.o_proj", config.hidden_size, queries)

    def _heads(self, hidden: Node, name: str, heads: int) -> Node:
        """The queries or keys, not yet rotated."""
        config = self._config
        values = self._linear(hidden, f"{name}_proj", heads * config.head_size, config.hidden_size)
        if not config.head_norms:
            return split_heads(values, heads, config.head_size)
        by_head = ops.reshape(values, integers(0, 0, heads, config.head_size), special_zero=True)
        return ops.transpose(self._norm(by_head, f"{name}_norm", config.head_size), integers(0, 2, 1, 3))

    def _feed_forward(self, hidden: Node, layer: int) -> Node:
        inner, outer = self._config.feed_forward_size, self._config.hidden_size
        prefix = f"model.layers.{layer}.mlp"
        gate = ops.swish(self._linear(hidden, f"{prefix}.gate_proj", inner, outer))
        up = self._linear(hidden, f"{prefix}.up_proj", inner, outer)
        return self._linear(ops.multiply(gate, up), f"{prefix}.down_proj", outer, inner)

    def _linear(self, hidden: Node, name: str, outputs: int, inputs: int) -> Node:
        matrix = self._weights.matrix(f"{name}.weight", (outputs, inputs))
        product = ops.matmul(hidden, matrix, transpose_a=False, transpose_b=True)
        if f"{name}.bias" not in self._weights:
            return product
        return ops.add(product, vector(self._weights.vector(f"{name}.bias", outputs)))

    def _norm(self, hidden: Node, name: str, size: int) -> Node:
        """RMS norm, in the form that the plugin fuses into one operation."""
        mean_square = ops.reduce_mean(ops.power(hidden, number(2)), integers(-1), keep_dims=True)
        inverse = ops.divide(number(1), ops.sqrt(ops.add(mean_square, number(self._config.rms_epsilon))))
        weight = self._weights.vector(f"{name}.weight", size)
        return ops.multiply(ops.multiply(hidden, inverse), vector(weight))


def repeat_heads(tokens: Node, config: DecoderConfig, batch: Node) -> Node:
    """[batch, kv_heads, tokens, head_size] → [batch, heads, tokens, head_size]."""
    group = config.heads // config.kv_heads
    if group == 1:
        return tokens
    shape = ops.concat([batch, integers(config.kv_heads, group, 1, config.head_size)], axis=0)
    grouped = ops.broadcast(ops.unsqueeze(tokens, integer(2)), shape, broadcast_spec="BIDIRECTIONAL")
    return ops.reshape(grouped, integers(0, config.heads, -1, config.head_size), special_zero=True)


def window_of(config: DecoderConfig, layer: int) -> int:
    """Of the tokens that a layer sees; 0 if that is all."""
    return config.windows[layer] if config.windows else 0
