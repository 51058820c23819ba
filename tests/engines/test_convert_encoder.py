"""Encoders: a tiny one held against plain arithmetic, the built-in one against sentence-transformers."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from tests.support.graph_runner import EXACT, run_graphs
from tests.support.reference_models import bert_embedding
from tests.support.tiny_models import (
    TinyBert,
    tiny_bert_weights,
    tiny_wordpiece_tokenizer,
    write_tiny_bert_folder,
)
from tramontane.catalog.builtin import default_model
from tramontane.engines.openvino.conversion import convert
from tramontane.engines.openvino.convert import convert_in_subprocess
from tramontane.errors import ModelStoreError
from tramontane.weights.store import ModelStore

pytestmark = pytest.mark.engine

REFERENCE = json.loads((Path(__file__).parents[1] / "golden" / "minilm_reference.json").read_text())
TEXTS = ["a", "hello world", "the quick brown fox jumps over the lazy dog."]


def inputs(batch: list[list[int]]) -> dict[str, list]:
    """A batch padded on the right."""
    longest = max(map(len, batch))
    return {
        "input_ids": [ids + [0] * (longest - len(ids)) for ids in batch],
        "attention_mask": [[1] * len(ids) + [0] * (longest - len(ids)) for ids in batch],
    }


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_plain_arithmetic_whatever_is_beside_them(tmp_path, pooling):
    shape = TinyBert()
    folder = write_tiny_bert_folder(tmp_path / "model")
    mode = "pooling_mode_cls_token" if pooling == "cls" else "pooling_mode_mean_tokens"
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({mode: True}))
    artifact = convert(folder, tmp_path)
    tokenizer = Tokenizer.from_file(str(artifact.tokenizer))
    batch = [tokenizer.encode(text).ids for text in TEXTS]

    vectors = run_graphs({"bert": artifact.graph}, inputs(batch))["bert"]

    weights = tiny_bert_weights(shape, tiny_wordpiece_tokenizer().get_vocab_size())
    expected = [bert_embedding(weights, shape, ids, pooling) for ids in batch]
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_the_manifest_says_what_the_engine_needs(tmp_path):
    manifest = convert(write_tiny_bert_folder(tmp_path / "model"), tmp_path).manifest

    assert (manifest.task, manifest.architecture, manifest.quantization) == ("embed", "bert", "f32")
    assert (manifest.embedding_dimension, manifest.max_context_length, manifest.layers) == (32, 48, 2)
    assert manifest.special_token_ids == (0, 1, 2, 3, 4)


def test_a_missing_tensor_is_named(tmp_path):
    folder = write_tiny_bert_folder(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))

    with pytest.raises(ModelStoreError, match=r"lack the tensor encoder\.layer\.2\."):
        convert(folder, tmp_path)


@pytest.fixture(scope="module")
def minilm(builtin_cache_dir):
    model = default_model("embed")
    folder = ModelStore(builtin_cache_dir).fetch(model.source)
    return convert_in_subprocess(folder, builtin_cache_dir, source_sha256=model.source.sha256)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("properties", "least_cosine"), [({}, 0.999), (EXACT, 0.99999)], ids=["default precision", "32 bits"]
)
def test_the_built_in_model_is_equal_to_its_reference_implementation(minilm, properties, least_cosine):
    tokenizer = Tokenizer.from_file(str(minilm.tokenizer))
    tokenizer.enable_truncation(minilm.manifest.max_context_length)
    batch = [
        encoding.ids for encoding in tokenizer.encode_batch([case["text"] for case in REFERENCE["cases"]])
    ]

    vectors = run_graphs({"minilm": minilm.graph}, inputs(batch), properties)["minilm"]

    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-3
    for case, vector in zip(REFERENCE["cases"], vectors, strict=True):
        expected = np.frombuffer(base64.b64decode(case["vector"]), "<f4")
        assert vector @ expected / np.linalg.norm(vector) >= least_cosine, case["text"][:60]
