import json

import msgspec
import pytest

from tests.support.tiny_models import TinyLlama, write_tiny_llama_folder
from tramontane.engines.vllm.grammars import GrammarTokens, write_grammar_tokens
from tramontane.errors import ModelStoreError
from tramontane.prompts.of_artifact import prompts_of
from tramontane.weights.text_artifact import GRAMMAR_TOKENS, make_text_artifact


@pytest.fixture
def folder(tmp_path):
    return write_tiny_llama_folder(tmp_path / "tiny", shape=TinyLlama(max_context_length=512))


def make(folder, tmp_path):
    return make_text_artifact(folder, tmp_path / "cache", write_grammar_tokens)


def test_it_says_what_the_files_say(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())

    manifest = make(folder, tmp_path).manifest

    assert (manifest.task, manifest.architecture) == ("generate", "llama")
    assert manifest.vocabulary_size == config["vocab_size"]
    assert manifest.max_context_length == 512
    assert manifest.layers == config["num_hidden_layers"]
    assert (manifest.kv_heads, manifest.head_size) == (config["num_key_value_heads"], config["head_dim"])
    assert config["eos_token_id"] in manifest.stop_token_ids


def test_no_weights_are_needed_or_copied(folder, tmp_path):
    (folder / "model.safetensors").unlink()

    artifact = make(folder, tmp_path)

    assert prompts_of(artifact).vocabulary.stop_ids == set(artifact.manifest.stop_token_ids)
    assert not list(artifact.path.glob("*.safetensors"))


def test_a_model_that_sees_is_described_by_its_text_part(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    outer = {"model_type": "mistral3", "text_config": config | {"model_type": "mistral", "vocab_size": 300}}
    (folder / "config.json").write_text(json.dumps(outer))

    manifest = make(folder, tmp_path).manifest

    assert (manifest.architecture, manifest.vocabulary_size) == ("mistral3", 300)
    assert manifest.max_context_length == 512


def test_control_tokens_have_characters_of_their_own_in_grammars(folder, tmp_path):
    artifact = make(folder, tmp_path)

    file = msgspec.msgpack.decode((artifact.path / GRAMMAR_TOKENS).read_bytes(), type=GrammarTokens)

    assert set(file.stop_token_ids) == set(artifact.manifest.stop_token_ids)
    for token in artifact.manifest.special_token_ids:
        assert file.tokens[token].decode() > "\U000fffff"


def test_it_is_made_once_and_again_when_the_files_change(folder, tmp_path):
    first = make(folder, tmp_path)
    assert make(folder, tmp_path).path == first.path

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 1024}))

    assert make(folder, tmp_path).manifest.max_context_length == 1024


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_what_is_missing_is_named_and_nothing_is_left_behind(folder, tmp_path, name):
    (folder / name).unlink()

    with pytest.raises(ModelStoreError, match=name):
        make(folder, tmp_path)
    assert list((tmp_path / "cache" / "artifacts").iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "model.gguf").touch()

    with pytest.raises(ModelStoreError, match="folders"):
        make(tmp_path / "model.gguf", tmp_path)
