import pytest

from tests.engines.artifacts import is_worker_idle
from tests.engines.conformance import GenerationConformance, GenerationHarness
from tests.engines.conformance_abilities import GrammarConformance, LogprobsConformance, RefusalConformance
from tramontane.engines.openvino.engine import OpenVinoGenerationEngine
from tramontane.prompts.tokenizer import HuggingFaceTokenizer

pytestmark = pytest.mark.engine

CACHE_TOKENS = 4096


@pytest.fixture(scope="module")
def harness(tiny_llama):
    vocabulary_size = tiny_llama.manifest.vocabulary_size
    return GenerationHarness(
        create=lambda: OpenVinoGenerationEngine(tiny_llama, kv_cache_tokens=CACHE_TOKENS),
        prompt=lambda length: [(7 + 31 * position) % vocabulary_size for position in range(length)],
        is_idle=is_worker_idle,
        samples=True,
        cached_block=32,
        cache_tokens=CACHE_TOKENS,
        vocabulary=HuggingFaceTokenizer.from_artifact(tiny_llama).vocabulary,
    )


class TestOpenVinoGeneration(GenerationConformance):
    pass


class TestOpenVinoGrammar(GrammarConformance):
    pass


class TestOpenVinoLogprobs(LogprobsConformance):
    pass


class TestOpenVinoRefusals(RefusalConformance):
    pass
