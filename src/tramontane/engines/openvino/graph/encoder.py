"""The graph of a BERT encoder that ends in one vector a text."""

import openvino as ov
from openvino import Type
from openvino import opset13 as ops

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
from tramontane.engines.openvino.graph.pooling import sentence_vector
from tramontane.engines.openvino.graph.weights import Weights
from tramontane.weights.model import EncoderConfig


def encoder_graph(config: EncoderConfig, weights: Weights) -> ov.Model:
    """The model, whose constants may share the memory of `weights`: keep that until the model is saved.

    Inputs `input_ids` and `attention_mask` [batch, tokens], output `sentence_embedding` [batch, hidden_size].

    Raises:
        ModelStoreError: a tensor is missing or does not fit.
    """
    return _Encoder(config, weights).build()


class _Encoder:
    def __init__(self, config: EncoderConfig, weights: Weights) -> None:
        self._config = config
        self._weights = weights
        self._input_ids = parameter("input_ids", [-1, -1], Type.i64)
        self._attention_mask = parameter("attention_mask", [-1, -1], Type.i64)
        present = ops.convert(self._attention_mask, Type.f32)
        absent = ops.multiply(ops.subtract(number(1), present), number(-65504))
        self._mask = ops.unsqueeze(absent, integers(1, 2))

    def build(self) -> ov.Model:
        hidden = self._embeddings()
        for layer in range(self._config.layers):
            hidden = self._layer(hidden, f"encoder.layer.{layer}")
        sentence = sentence_vector(hidden, self._attention_mask, self._config.sentence)
        inputs = [self._input_ids, self._attention_mask]
        return ov.Model([named_result(sentence, "sentence_embedding")], inputs, self._config.architecture)

    def _embeddings(self) -> Node:
        config = self._config
        words = self._table("word", config.vocabulary_size)
        positions = self._table("position", config.max_positions)
        start = integers(config.position_offset or 0)
        stop = ops.add(dimension(self._input_ids, 1), start)
        added = ops.slice(positions, start, stop, integers(1), integers(0))
        if config.token_types is not None:
            # Every token is of the first type.
            types = self._table("token_type", config.token_types)
            added = ops.add(added, ops.gather(types, integers(0), integer(0)))
        tokens = ops.gather(words, self._input_ids, integer(0))
        return self._norm(ops.add(tokens, ops.unsqueeze(added, integer(0))), "embeddings.LayerNorm")

    def _table(self, name: str, rows: int) -> Node:
        shape = (rows, self._config.hidden_size)
        return self._weights.matrix(f"embeddings.{name}_embeddings.weight", shape, precise=True)

    def _layer(self, hidden: Node, prefix: str) -> Node:
        config = self._config
        attended = self._linear(
            self._attention(hidden, f"{prefix}.attention.self"),
            f"{prefix}.attention.output.dense",
            config.hidden_size,
            config.hidden_size,
        )
        hidden = self._norm(ops.add(hidden, attended), f"{prefix}.attention.output.LayerNorm")
        inner = self._linear(
            hidden, f"{prefix}.intermediate.dense", config.feed_forward_size, config.hidden_size
        )
        outer = self._linear(
            ops.gelu(inner, "erf"), f"{prefix}.output.dense", config.hidden_size, config.feed_forward_size
        )
        return self._norm(ops.add(hidden, outer), f"{prefix}.output.LayerNorm")

    def _attention(self, hidden: Node, prefix: str) -> Node:
        size, heads = self._config.hidden_size, self._config.heads
        query, key, value = (
            split_heads(self._linear(hidden, f"{prefix}.{part}", size, size), heads, size // heads)
            for part in ("query", "key", "value")
        )
        return merge_heads(ops.scaled_dot_product_attention(query, key, value, self._mask), size)

    def _linear(self, hidden: Node, name: str, outputs: int, inputs: int) -> Node:
        matrix = self._weights.matrix(f"{name}.weight", (outputs, inputs))
        product = ops.matmul(hidden, matrix, transpose_a=False, transpose_b=True)
        return ops.add(product, vector(self._weights.vector(f"{name}.bias", outputs)))

    def _norm(self, hidden: Node, name: str) -> Node:
        size = self._config.hidden_size
        centred = ops.mvn(
            hidden,
            integers(-1),
            normalize_variance=True,
            eps=self._config.layer_norm_epsilon,
            eps_mode="inside_sqrt",
        )
        scaled = ops.multiply(centred, vector(self._weights.vector(f"{name}.weight", size)))
        return ops.add(scaled, vector(self._weights.vector(f"{name}.bias", size)))
