"""The graph from which the engine's grammars learn the bytes of each token.

The library takes its vocabulary out of a detokenizer, a graph that turns token ids into strings. Here it has
no other use: text is the business of `parsing`.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import openvino as ov
from openvino import Type
from openvino import opset13 as ops
from openvino_tokenizers import _get_factory, _get_opset_factory

from tramontane.engines.openvino.graph.nodes import Node


def detokenizer_graph(token_bytes: Sequence[bytes], size: int) -> ov.Model:
    """Token ids [batch, tokens] → strings [batch], of a model that has `size` tokens.

    A token without bytes is kept out of answers that obey a grammar. There are as many tokens as logits, or
    the library would write beside these: what is padded has no bytes.
    """
    tokens = [*token_bytes[:size], *[b""] * (size - len(token_bytes))]
    # A factory of our own would take the code of its operations with it when it goes; this one stays.
    factory = _get_factory()
    token_ids = ops.parameter([-1, -1], Type.i64)
    words = factory.create("VocabDecoder", [ops.convert(token_ids, Type.i32), *_strings(tokens)])
    words.set_friendly_name("VocabDecoder")  # by which the library finds the vocabulary
    *ragged, characters = words.outputs()
    fused = factory.create("FuzeRagged", ragged)
    text = _get_opset_factory("opset15").create("StringTensorPack", [*fused.outputs(), characters])
    text.output(0).set_names({"string_output"})
    return ov.Model([text], [token_ids], "detokenizer")


def _strings(values: Sequence[bytes]) -> list[Node]:
    """Where each string begins and ends in the bytes of all, and these."""
    ends = np.fromiter(accumulate(map(len, values)), np.int32, len(values))
    begins = np.concatenate([np.zeros(1, np.int32), ends[:-1]])
    return [ops.constant(array) for array in (begins, ends, np.frombuffer(b"".join(values), np.uint8))]
