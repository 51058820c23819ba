"""Tiny decoders: converted, run by the real engine, and held against plain numpy arithmetic."""

import numpy as np
import pytest

from tests.support.graph_runner import run_graphs, run_pipelines
from tests.support.reference_models import gguf_weights, llama_greedy, llama_logits, log_softmax
from tests.support.tiny_models import (
    WIDE_LLAMA,
    TinyLlama,
    tiny_llama_weights,
    write_tiny_gguf,
    write_tiny_llama_folder,
)
from tramontane.engines.openvino.conversion import convert
from tramontane.errors import ModelStoreError
from tramontane.weights.rope import Llama3Scaling, inverse_frequencies

pytestmark = pytest.mark.engine

PROMPT = [1, 50, 60, 200, 70, 71, 72, 4, 9, 100, 33]
INPUTS = {
    "input_ids": [PROMPT],
    "attention_mask": [[1] * len(PROMPT)],
    "position_ids": [list(range(len(PROMPT)))],
    "beam_idx": [0],
}
ENCODINGS = {
    # How far logits may be from exact ones, in standard deviations of the logits.
    "F32": 1e-5,
    "F16": 1e-5,
    "BF16": 1e-5,
    "Q8_0": 1e-5,
    "Q4_0": 1e-5,
    # Scales and zero points rounded to halves.
    "Q4_K": 0.01,
    # Made anew with eight bits; nets of random weights make much of small differences.
    "Q4_1": 0.2,
    "Q5_0": 0.2,
    "Q5_1": 0.2,
    "Q2_K": 0.2,
    "Q3_K": 0.2,
    "Q5_K": 0.2,
    "Q6_K": 0.2,
    "IQ4_NL": 0.2,
    "IQ4_XS": 0.2,
    "MXFP4": 0.2,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
VARIANTS = {
    "grouped heads": TinyLlama(heads=6, kv_heads=2, hidden_size=96),
    "no groups": TinyLlama(heads=2, kv_heads=2),
    "heads narrower than the model": TinyLlama(heads=1, kv_heads=1),
    "output of its own": TinyLlama(tied=False),
    "biases": TinyLlama(biases=True),
    "one layer, fast rotation": TinyLlama(layers=1, rope_base=100.0),
}


def shape_of(encoding: str) -> TinyLlama:
    return WIDE_LLAMA if encoding.endswith(("_K", "XS")) else TinyLlama()


def deviation(logits: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in standard deviations of what is expected."""
    return float(np.abs(logits - expected).max() / expected.std())


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    """For each encoding: the file, and its converted model."""
    folder = tmp_path_factory.mktemp("quantized")
    files = {e: write_tiny_gguf(folder / f"{e}.gguf", shape=shape_of(e), encoding=e) for e in ENCODINGS}
    return {encoding: (path, convert(path, folder)) for encoding, path in files.items()}


@pytest.fixture(scope="module")
def logits(quantized):
    """What the engine makes of each."""
    return run_graphs({encoding: artifact.graph for encoding, (_, artifact) in quantized.items()}, INPUTS)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_logits_of_every_encoding_are_those_of_its_numbers(quantized, logits, encoding):
    path, artifact = quantized[encoding]
    shape = shape_of(encoding)

    expected = llama_logits(gguf_weights(path, shape), shape, PROMPT)

    assert deviation(logits[encoding][0], expected) < ENCODINGS[encoding]
    assert artifact.manifest.quantization == encoding.lower()


def test_the_pipeline_continues_a_prompt_as_plain_arithmetic_does(quantized):
    prompt, new_tokens, shape = PROMPT, 12, TinyLlama()
    names = ("F32", "Q8_0", "Q4_0")

    answers = run_pipelines({name: quantized[name][1].path for name in names}, prompt, new_tokens)

    for name in names:
        weights = gguf_weights(quantized[name][0], shape)
        tokens = answers[name]["tokens"]
        assert tokens == llama_greedy(weights, shape, prompt, new_tokens)
        log_probs = log_softmax(llama_logits(weights, shape, prompt + tokens))
        expected = [log_probs[at, token] for at, token in enumerate((prompt + tokens)[1:])]
        np.testing.assert_allclose(answers[name]["log_probs"], expected, atol=1e-3)


def test_gguf_and_safetensors_of_the_same_weights_give_the_same_logits(tmp_path):
    shape = TinyLlama(biases=True)
    artifacts = {"gguf": convert(write_tiny_gguf(tmp_path / "tiny.gguf", shape=shape), tmp_path)}
    for dtype, shards in (("F32", 1), ("F32", 3), ("F16", 1), ("BF16", 1)):
        folder = write_tiny_llama_folder(
            tmp_path / f"{dtype}-{shards}", shape=shape, dtype=dtype, shards=shards
        )
        artifacts[f"{dtype}-{shards}"] = convert(folder, tmp_path)

    logits = run_graphs({name: artifact.graph for name, artifact in artifacts.items()}, INPUTS)

    expected = llama_logits(tiny_llama_weights(shape), shape, PROMPT)
    assert deviation(logits["gguf"][0], expected) < 1e-5
    np.testing.assert_array_equal(logits["F32-1"], logits["gguf"])
    np.testing.assert_array_equal(logits["F32-3"], logits["gguf"])
    assert deviation(logits["F16-1"][0], expected) < 0.01
    assert deviation(logits["BF16-1"][0], expected) < 0.1


def test_every_variant_of_the_architecture_gives_exact_logits(tmp_path):
    paths = {
        name: convert(write_tiny_gguf(tmp_path / f"{name}.gguf", shape=shape), tmp_path).graph
        for name, shape in VARIANTS.items()
    }

    logits = run_graphs(paths, INPUTS)

    for name, shape in VARIANTS.items():
        expected = llama_logits(tiny_llama_weights(shape), shape, PROMPT)
        assert deviation(logits[name][0], expected) < 1e-5, name


def test_scaled_rotary_positions_reach_the_graph(tmp_path):
    shape = TinyLlama()
    scaled = Llama3Scaling(8.0, 1.0, 4.0, 64).apply(inverse_frequencies(shape.head_size, shape.rope_base))
    folder = write_tiny_llama_folder(tmp_path / "llama3", config={"rope_scaling": LLAMA3})
    factors = (inverse_frequencies(shape.head_size, shape.rope_base) / scaled).astype(np.float32)
    file = write_tiny_gguf(tmp_path / "llama3.gguf", extra_tensors={"rope_freqs.weight": factors})

    logits = run_graphs({path.name: convert(path, tmp_path).graph for path in (folder, file)}, INPUTS)

    expected = llama_logits(tiny_llama_weights(shape), shape, PROMPT, scaled)
    assert deviation(llama_logits(tiny_llama_weights(shape), shape, PROMPT), expected) > 0.1
    for name in ("llama3", "llama3.gguf"):
        assert deviation(logits[name][0], expected) < 1e-4, name


def test_padding_on_the_left_changes_nothing(tmp_path):
    graph = convert(write_tiny_gguf(tmp_path / "tiny.gguf"), tmp_path).graph
    pad = 3
    padded = {
        "input_ids": [[0] * pad + PROMPT],
        "attention_mask": [[0] * pad + [1] * len(PROMPT)],
        "position_ids": [[0] * pad + list(range(len(PROMPT)))],
        "beam_idx": [0],
    }

    alone, beside = (
        run_graphs({"alone": graph}, INPUTS)["alone"],
        run_graphs({"padded": graph}, padded)["padded"],
    )

    np.testing.assert_allclose(beside[0][pad:], alone[0], atol=1e-4)


def test_a_tensor_that_the_graph_has_no_place_for_is_refused(tmp_path):
    path = write_tiny_gguf(
        tmp_path / "tiny.gguf", extra_tensors={"blk.0.attn_sinks.weight": np.ones(32, np.float32)}
    )

    with pytest.raises(ModelStoreError, match=r"no place for, the first being blk\.0\.attn_sinks\.weight"):
        convert(path, tmp_path)


def test_a_tensor_that_does_not_fit_is_refused(tmp_path):
    folder = write_tiny_llama_folder(tmp_path / "model", config={"intermediate_size": 128})

    with pytest.raises(ModelStoreError, match=r"gate_proj\.weight is \[96, 64\].* asks for \[128, 64\]"):
        convert(folder, tmp_path)


def test_old_checkpoints_may_carry_their_rotary_frequencies(tmp_path):
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    path = write_tiny_gguf(tmp_path / "tiny.gguf", extra_tensors={name: np.ones(16, np.float32)})

    assert convert(path, tmp_path).graph.exists()
