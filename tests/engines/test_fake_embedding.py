import pytest

from tests.engines.conformance import EmbeddingConformance, EmbeddingHarness
from tramontane.core.byte_groups import groups_of
from tramontane.engines.fake.engine import FakeEmbeddingEngine


async def is_idle(engine):
    return True  # it works only while `embed` is awaited


@pytest.fixture(scope="module")
def harness():
    return EmbeddingHarness(
        create=lambda: FakeEmbeddingEngine(max_context_length=256),
        text=lambda number, length: groups_of(
            bytes(97 + (number * (1 + at)) % 26 for at in range(4 * length))
        ),
        is_idle=is_idle,
    )


class TestFakeEmbedding(EmbeddingConformance):
    pass
