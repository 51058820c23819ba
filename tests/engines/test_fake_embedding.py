import pytest

from tests.engines.conformance import EmbeddingConformance, EmbeddingHarness
from tramontane.engines.fake.engine import FakeEmbeddingEngine


async def is_idle(engine):
    return True  # it works only while `embed` is awaited


@pytest.fixture(scope="module")
def harness():
    return EmbeddingHarness(
        create=lambda: FakeEmbeddingEngine(max_context_length=256),
        text=lambda number, length: [97 + (number * (1 + place)) % 26 for place in range(length)],
        is_idle=is_idle,
    )


class TestFakeEmbedding(EmbeddingConformance):
    pass
