import pytest

from tests.engines.conformance import GenerationConformance, GenerationHarness
from tests.engines.conformance_abilities import RefusalConformance
from tramontane.core.vocabulary import BYTE_VOCABULARY
from tramontane.engines.fake.engine import FakeGenerationEngine
from tramontane.engines.fake.script import Rule, Script

LONG = " ".join(f"The {number}th word." for number in range(5000))


async def is_idle(engine):
    return engine.running == 0


@pytest.fixture(scope="module")
def harness():
    return GenerationHarness(
        create=lambda: FakeGenerationEngine(
            Script([Rule(answer=LONG)]), tokens_per_second=2000, max_context_length=4096
        ),
        prompt=lambda length: [97 + position % 26 for position in range(length)],
        is_idle=is_idle,
        samples=False,
        cached_block=None,
        cache_tokens=None,
        vocabulary=BYTE_VOCABULARY,
    )


class TestFakeGeneration(GenerationConformance):
    pass


class TestFakeRefusals(RefusalConformance):
    pass
