"""The real vLLM on a CPU, in an environment of its own: `make test-vllm`."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from tests.engines.artifacts import cpu_ticks
from tests.engines.conformance import GenerationConformance, GenerationHarness, complete
from tests.engines.conformance_abilities import GrammarConformance, LogprobsConformance, RefusalConformance
from tests.support.tiny_models import TinyLlama, write_tiny_llama_folder
from tramontane.engines.vllm.engine import VllmGenerationEngine
from tramontane.engines.vllm.grammars import write_grammar_tokens
from tramontane.prompts.tokenizer import HuggingFaceTokenizer
from tramontane.weights.text_artifact import make_text_artifact


async def is_group_idle(engine) -> bool:
    """All processes of vLLM sleep, but for a look around now and then."""
    members = group_of(engine.worker_pid)
    before = sum(map(cpu_ticks, members))
    await asyncio.sleep(0.2)
    return sum(map(cpu_ticks, members)) - before <= 1


def group_of(leader: int) -> list[int]:
    """The processes that the worker has started, and itself."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[2]) == leader:
                members.append(int(stat.parent.name))
    return members


PYTHON = os.environ.get("VLLM_PYTHON")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(PYTHON is None, reason="make test-vllm puts a vLLM in place"),
]

BLOCK_TOKENS = 32
CACHE_TOKENS = 4096
ARGUMENTS = {
    "dtype": "float32",
    "enforce_eager": True,
    "block_size": BLOCK_TOKENS,
    "num_gpu_blocks_override": CACHE_TOKENS // BLOCK_TOKENS + 1,
    "max_model_len": CACHE_TOKENS,
    "gpu_memory_utilization": 0.1,
}


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    source = write_tiny_llama_folder(folder / "weights", shape=TinyLlama(max_context_length=4096))
    artifact = make_text_artifact(source, folder, write_grammar_tokens)
    vocabulary_size = artifact.manifest.vocabulary_size
    return GenerationHarness(
        create=lambda: VllmGenerationEngine(artifact, source, ARGUMENTS, python=Path(PYTHON)),
        prompt=lambda length: [(7 + 31 * position) % vocabulary_size for position in range(length)],
        is_idle=is_group_idle,
        samples=True,
        cached_block=BLOCK_TOKENS,
        cache_tokens=CACHE_TOKENS,
        vocabulary=HuggingFaceTokenizer.from_artifact(artifact).vocabulary,
    )


class TestVllmGeneration(GenerationConformance):
    pass


class TestVllmGrammar(GrammarConformance):
    pass


class TestVllmLogprobs(LogprobsConformance):
    async def test_a_grammar_does_not_change_them(self, engine, harness):
        """It does, under vLLM, which knows only what the grammar has left."""
        params = {"max_tokens": 1, "logprobs": True, "stop_token_ids": harness.vocabulary.stop_ids}
        answer = await complete(engine, harness.prompt(5), grammar='root ::= "a"', **params)

        assert [*answer.deltas[0].logprobs] == [0.0]


class TestVllmRefusals(RefusalConformance):
    pass
