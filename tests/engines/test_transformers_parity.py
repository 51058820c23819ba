"""Every architecture, held against what the `transformers` library computes for the same files.

The default run compares with its answers as they were kept; with REFERENCE_PYTHON set (`make test-reference`)
the library itself is asked as well.
"""

import numpy as np
import pytest

from tests.support.graph_runner import run_graphs, run_pipelines
from tests.support.reference_cases import (
    DECODERS,
    EMBEDDERS,
    PROMPT,
    TEXTS,
    write_decoder,
    write_seeing_decoder,
)
from tests.support.reference_models import llama_greedy, log_softmax
from tests.support.tiny_models import tiny_llama_weights, write_tiny_gguf
from tests.support.transformers_golden import POSITIONS, read_golden
from tests.support.transformers_library import ask, reference_python
from tramontane.engines.openvino.conversion import convert

pytestmark = pytest.mark.engine

TOLERANCE = 1e-4
"""Largest difference of a logit, in standard deviations of the logits, with 32-bit weights and arithmetic."""
PROMPT_INPUTS = {
    "input_ids": [PROMPT],
    "attention_mask": [[1] * len(PROMPT)],
    "position_ids": [list(range(len(PROMPT)))],
    "beam_idx": [0],
}
LONGEST = max(map(len, TEXTS))
TEXT_INPUTS = {
    "input_ids": [text + [0] * (LONGEST - len(text)) for text in TEXTS],
    "attention_mask": [[1] * len(text) + [0] * (LONGEST - len(text)) for text in TEXTS],
}


@pytest.fixture(scope="module")
def golden():
    return read_golden()


@pytest.fixture(scope="module")
def decoders(tmp_path_factory):
    """Each of them converted."""
    root = tmp_path_factory.mktemp("decoders")
    return {name: convert(write_decoder(name, root / name), root / "cache") for name in DECODERS}


@pytest.fixture(scope="module")
def logits(decoders):
    """What the engine makes of each decoder: [tokens, vocabulary]."""
    graphs = {name: artifact.graph for name, artifact in decoders.items()}
    return {name: output[0] for name, output in run_graphs(graphs, PROMPT_INPUTS).items()}


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """What the engine makes of each embedder, the texts in one batch: [texts, size]."""
    root = tmp_path_factory.mktemp("embedders")
    graphs = {name: convert(write(root / name), root / "cache").graph for name, write in EMBEDDERS.items()}
    return run_graphs(graphs, TEXT_INPUTS)


def deviation(logits: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(logits - expected).max() / expected.std())


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_has_the_logits_of_the_reference_implementation(logits, golden, name):
    assert deviation(logits[name][list(POSITIONS)], golden["decoders"][name]) < TOLERANCE


def test_the_paged_attention_of_the_pipeline_computes_the_same(decoders, logits):
    """It is rewritten from the graph: windows and scales must survive that."""
    answers = run_pipelines({name: artifact.path for name, artifact in decoders.items()}, PROMPT, 2)

    for name in DECODERS:
        expected = log_softmax(logits[name])
        of_prompt = [expected[at, token] for at, token in enumerate(PROMPT[1:])]
        got = answers[name]["log_probs"][: len(of_prompt)]
        np.testing.assert_allclose(got, of_prompt, atol=2e-3, err_msg=name)
        assert answers[name]["tokens"][0] == expected[-1].argmax(), name


def test_a_window_slides_over_many_blocks_of_the_cache(decoders):
    case, new_tokens = DECODERS["mistral, window"], 12
    prompt = [(7 * i) % 250 + 3 for i in range(90)]

    answer = run_pipelines({"window": decoders["mistral, window"].path}, prompt, new_tokens)["window"]

    window = case.config["sliding_window"]
    expected = llama_greedy(tiny_llama_weights(case.shape), case.shape, prompt, new_tokens, window=window)
    assert answer["tokens"] == expected


def test_the_cases_differ_in_what_they_are_to_show(golden):
    """A window, a scaling that changed nothing would be checked by nobody."""
    answers = golden["decoders"]

    for name in ("llama, llama3", "llama, linear", "mistral, window", "ministral, windows", "ministral3"):
        assert deviation(answers[name], answers["llama, dynamic"]) > 0.1, name


@pytest.mark.parametrize("name", EMBEDDERS)
def test_an_embedder_has_the_vectors_of_the_reference_implementation(vectors, golden, name):
    np.testing.assert_allclose(vectors[name], golden["embedders"][name], atol=1e-5)


def test_the_text_part_of_a_model_with_eyes_is_the_model_without(tmp_path, golden):
    graph = convert(write_seeing_decoder(tmp_path / "seeing"), tmp_path).graph

    logits = run_graphs({"seeing": graph}, PROMPT_INPUTS)["seeing"][0]

    assert deviation(logits[list(POSITIONS)], golden["decoders"]["ministral3"]) < TOLERANCE


def test_gguf_files_of_the_same_weights_have_the_same_logits(tmp_path, golden):
    yarn = {"type": "yarn", "factor": 16.0, "original_context_length": 8, "yarn_beta_fast": 4.0}
    metadata = {
        "mistral3": {f"mistral3.rope.scaling.{key}": value for key, value in yarn.items()}
        | {"mistral3.rope.scaling.yarn_log_multiplier": 1.0, "mistral3.attention.temperature_scale": 0.1},
        "qwen2": {},
        "qwen3": {},
    }
    cases = {"mistral3": "ministral3", "qwen2": "qwen2", "qwen3": "qwen3"}
    graphs = {
        architecture: convert(
            write_tiny_gguf(
                tmp_path / f"{architecture}.gguf",
                architecture=architecture,
                shape=DECODERS[name].shape,
                metadata=metadata[architecture],
            ),
            tmp_path,
        ).graph
        for architecture, name in cases.items()
    }

    logits = run_graphs(graphs, PROMPT_INPUTS)

    for architecture, name in cases.items():
        got = logits[architecture][0][list(POSITIONS)]
        assert deviation(got, golden["decoders"][name]) < TOLERANCE, architecture


@pytest.mark.reference
@pytest.mark.skipif(
    reference_python() is None, reason="REFERENCE_PYTHON is not set: `make test-reference` does"
)
@pytest.mark.timeout(600)
def test_the_library_itself_still_answers_so(logits, vectors):
    answers = ask(reference_python())

    for name in DECODERS:
        assert deviation(logits[name], answers["decoders"][name]) < TOLERANCE, name
    for name in EMBEDDERS:
        np.testing.assert_allclose(vectors[name], answers["embedders"][name], atol=1e-5, err_msg=name)
