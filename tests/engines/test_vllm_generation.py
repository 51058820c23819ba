"""The real vLLM on a CPU, in an environment of its own: `make test-vllm`."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from tests.engines.artifacts import cpu_ticks
from tests.engines.conformance import GenerationConformance, GenerationHarness, complete
from tests.engines.conformance_abilities import GrammarConformance, LogprobsConformance, RefusalConformance
from tests.support.tiny_models import TinyLlama, tiny_llama_weights, write_tiny_llama_folder, write_tiny_lora
from tramontane.engines.openvino.convert import convert_in_subprocess
from tramontane.engines.openvino.engine import OpenVinoGenerationEngine
from tramontane.engines.vllm.engine import VllmGenerationEngine
from tramontane.engines.vllm.shared import AdapterEngine, SharedVllm
from tramontane.prompts.tokenizer import HuggingFaceTokenizer
from tramontane.weights.text_side import read_text_artifact


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
if PYTHON is None:
    pytest.skip("make test-vllm puts a vLLM in place", allow_module_level=True)
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
]

BLOCK_TOKENS = 32
CACHE_TOKENS = 4096
PROMPTS = [[5, 9, 100, 33], [1] * 64, list(range(3, 20))]
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
    artifact = read_text_artifact(source, folder)
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


@pytest.mark.anyio
async def test_adapters_share_one_engine_and_answer_as_if_worked_into_the_weights(tmp_path, anyio_backend):
    shape = TinyLlama(max_context_length=4096)
    source = write_tiny_llama_folder(tmp_path / "weights", shape=shape)
    names = {"target_modules": ["q_proj", "up_proj"]}
    adapter, _ = write_tiny_lora(tmp_path / "tuned", tiny_llama_weights(shape), names)
    shared = SharedVllm(
        lambda: VllmGenerationEngine(
            read_text_artifact(source, tmp_path),
            source,
            ARGUMENTS,
            adapters={"tuned": adapter},
            python=Path(PYTHON),
        )
    )
    plain, tuned = AdapterEngine(shared), AdapterEngine(shared, "tuned")
    await asyncio.gather(plain.start(), tuned.start())
    try:
        assert plain.worker_pid == tuned.worker_pid
        own, adapted = (
            [await say(plain, prompt) for prompt in PROMPTS],
            [await say(tuned, prompt) for prompt in PROMPTS],
        )
    finally:
        await plain.close()
        await tuned.close()

    merged = convert_in_subprocess(source, tmp_path, quantization="none", adapter=adapter)
    reference = OpenVinoGenerationEngine(merged)
    await reference.start()
    assert adapted == [await say(reference, prompt) for prompt in PROMPTS]
    assert all(one != other for one, other in zip(own, adapted, strict=True))
    await reference.close()


async def say(engine, prompt):
    return (await complete(engine, prompt, max_tokens=5)).token_ids
