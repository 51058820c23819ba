import pytest

from tests.engines.artifacts import is_worker_idle
from tests.engines.conformance import EmbeddingConformance, EmbeddingHarness
from tramontane.engines.openvino.engine import OpenVinoEmbeddingEngine

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def harness(tiny_bert):
    return EmbeddingHarness(
        create=lambda: OpenVinoEmbeddingEngine(tiny_bert),
        text=lambda number, length: [5 + (number + place * (3 + number)) % 60 for place in range(length)],
        is_idle=is_worker_idle,
    )


class TestOpenVinoEmbedding(EmbeddingConformance):
    pass
