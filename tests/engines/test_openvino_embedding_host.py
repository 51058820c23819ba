"""Batches of the embedding host; here in the tests' process."""

import numpy as np
import openvino as ov
import pytest

from tramontane.engines.openvino.embedding import EmbeddingHost
from tramontane.engines.openvino.messages import LoadEmbedding
from tramontane.engines.worker.messages import Abort, Embed

pytestmark = pytest.mark.engine


@pytest.fixture
def host(tiny_bert):
    return EmbeddingHost(LoadEmbedding(str(tiny_bert.path), tiny_bert.manifest.max_context_length, threads=0))


class Recorder:
    """The library's request, and the shapes that it was asked for."""

    def __init__(self, inference):
        self.shapes = set()
        self._inference = inference

    def infer(self, inputs):
        self.shapes.add(inputs["input_ids"].shape)
        self._inference.infer(inputs)

    def get_output_tensor(self, index):
        return self._inference.get_output_tensor(index)


def tokens(length):
    return [5 + (3 * place + length) % 60 for place in range(length)]


def embed(host, inputs):
    host.apply(Embed(0, inputs))
    answers = []
    while host.busy:
        answers += host.step()
    return np.frombuffer(answers[0].data, "<f4").reshape(len(inputs), -1)


def test_inputs_of_any_length_are_embedded_as_without_padding(host, tiny_bert):
    lengths = range(1, tiny_bert.manifest.max_context_length + 1)
    bare = ov.Core().compile_model(tiny_bert.path / "openvino_model.xml", "CPU")
    expected = [
        bare({"input_ids": [tokens(length)], "attention_mask": [[1] * length]})[0][0] for length in lengths
    ]

    vectors = embed(host, [tokens(length) for length in lengths])

    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_the_library_sees_few_shapes(host, tiny_bert):
    longest = tiny_bert.manifest.max_context_length
    host._inference = recorder = Recorder(host._inference)

    for length in range(1, longest + 1):
        embed(host, [tokens(length)])

    assert len(recorder.shapes) <= longest / 8 + 1
    assert max(width for _, width in recorder.shapes) == longest


def test_requests_that_wait_are_embedded_together(host):
    host._inference = recorder = Recorder(host._inference)
    for number in range(20):
        host.apply(Embed(number, [tokens(8), tokens(7)]))
    host.apply(Abort(3))
    answers = {}
    while host.busy:
        answers |= {vectors.id: vectors.data for vectors in host.step()}

    assert recorder.shapes == {(38, 8)}
    assert set(answers) == set(range(20)) - {3}
    assert len(set(answers.values())) == 1


def test_a_request_that_is_left_in_its_midst_leaves_the_others_whole(host):
    lone = embed(host, [tokens(9)])
    host.apply(Embed(1, [tokens(30)] * 100))
    host.step()
    host.apply(Embed(2, [tokens(9)]))
    host.apply(Abort(1))
    answers = []
    while host.busy:
        answers += host.step()

    assert [vectors.id for vectors in answers] == [2]
    np.testing.assert_allclose(np.frombuffer(answers[0].data, "<f4"), lone[0], atol=1e-5)
