"""The text side of a model whose weights are elsewhere."""

import pytest

from tests.support.tiny_models import write_tiny_llama_folder
from tramontane.errors import ModelStoreError
from tramontane.prompts.of_artifact import prompts_of
from tramontane.weights.hub import HubFile, HubListing
from tramontane.weights.hub_files import needed_files
from tramontane.weights.source import HubSource
from tramontane.weights.text_side import read_text_artifact


@pytest.fixture
def folder(tmp_path):
    source = write_tiny_llama_folder(tmp_path / "weights")
    for file in source.glob("*.safetensors*"):
        file.unlink()
    return source


def test_prompts_are_made_without_weights(folder, tmp_path):
    artifact = read_text_artifact(folder, tmp_path / "cache")
    prompts = prompts_of(artifact)

    assert len(prompts.vocabulary) == artifact.manifest.vocabulary_size
    assert artifact.manifest.stop_token_ids
    assert prompts.fim.render("a", "", 100).tokens.token_ids


def test_what_was_read_once_is_kept_until_the_files_change(folder, tmp_path):
    first = read_text_artifact(folder, tmp_path / "cache")
    assert read_text_artifact(folder, tmp_path / "cache").path == first.path

    (folder / "chat_template.jinja").write_text("{{ messages }}")

    second = read_text_artifact(folder, tmp_path / "cache")
    assert second.path != first.path
    assert second.chat_template.read_text() == "{{ messages }}"


def test_a_folder_without_a_tokenizer_is_refused_by_name(tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(ModelStoreError, match="empty has no text side"):
        read_text_artifact(tmp_path / "empty", tmp_path / "cache")


def test_of_the_hub_only_the_text_files_are_fetched():
    names = ["config.json", "tokenizer.json", "chat_template.jinja", "tekken.json"]
    weights = ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "consolidated.safetensors"]
    files = [HubFile(name, 10, "0" * 40, None) for name in (*names, *weights)]
    listing = HubListing("organisation/name", "0" * 40, files, None, gated=False, parameters=None)
    whole = HubSource("organisation/name")
    text = HubSource("organisation/name", text_only=True)

    needed = needed_files(listing, text)
    assert {file.path for file in needed.files} == set(names)
    assert not needed.has_weights
    assert needed_files(listing, whole).has_weights
    assert text.folder != whole.folder
