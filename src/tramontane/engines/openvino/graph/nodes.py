"""The few shapes of graph nodes that every model is written with."""

from typing import Any

import numpy as np
import numpy.typing as npt
from openvino import Type
from openvino import opset13 as ops

Node = Any
"""An operation of an OpenVINO graph; the library ships no types."""


def parameter(name: str, shape: list[int], kind: Type) -> Node:
    """An input of the model; -1 is a dimension of any size.

    The friendly name is the tensor's, which the pipeline needs when it clones the graph.
    """
    node = ops.parameter(shape, kind)
    node.set_friendly_name(name)
    node.output(0).set_names({name})
    return node


def named_result(node: Node, name: str) -> Node:
    """An output of the model."""
    node.output(0).set_names({name})
    return ops.result(node)


def integers(*values: int) -> Node:
    """A constant vector, as operations take their shapes and axes."""
    return ops.constant(np.array(values, np.int64))


def integer(value: int) -> Node:
    """A constant scalar."""
    return ops.constant(np.int64(value))


def number(value: float) -> Node:
    """A constant scalar of 32 bits."""
    return ops.constant(np.float32(value))


def vector(values: npt.NDArray[np.float32]) -> Node:
    """A constant for the last dimension of [batch, tokens, size]."""
    return ops.constant(values.reshape(1, 1, -1))


def dimension(tensor: Node, axis: int) -> Node:
    """The size of one dimension, [1]."""
    return ops.gather(ops.shape_of(tensor), integers(axis), integer(0))


def split_heads(hidden: Node, heads: int, head_size: int) -> Node:
    """[batch, tokens, heads * head_size] → [batch, heads, tokens, head_size]."""
    by_head = ops.reshape(hidden, integers(0, 0, heads, head_size), special_zero=True)
    return ops.transpose(by_head, integers(0, 2, 1, 3))


def merge_heads(heads: Node, size: int) -> Node:
    """[batch, heads, tokens, head_size] → [batch, tokens, size]."""
    by_token = ops.transpose(heads, integers(0, 2, 1, 3))
    return ops.reshape(by_token, integers(0, 0, size), special_zero=True)
