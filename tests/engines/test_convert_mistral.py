"""A folder with a Mistral tokenizer becomes an artifact with it, and is spoken to by it."""

import subprocess
import sys

import pytest

from tests.support.mistral_model import write_mistral_model
from tests.support.mistral_tokenizers import chat_input
from tramontane.engines.openvino.artifacts import find_artifact
from tramontane.engines.openvino.convert import convert_in_subprocess
from tramontane.errors import FunctionCallError, ModelStoreError
from tramontane.prompts.of_artifact import prompts_of

pytestmark = pytest.mark.engine

USER = {"role": "user", "content": "Hi"}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistral")
    return convert_in_subprocess(write_mistral_model(folder / "weights"), folder)


def test_the_tokenizer_is_kept_under_its_own_name_and_alone(artifact):
    assert artifact.mistral_tokenizer.name == "tekken.json"
    assert artifact.mistral_tokenizer.is_file()
    assert not artifact.tokenizer.exists()
    assert artifact.manifest.stop_token_ids == (2,)
    assert {0, 1, 2, 3, 999} <= set(artifact.manifest.special_token_ids)
    assert artifact.manifest.bos_token_id is None


def test_an_artifact_that_has_lost_its_tokenizer_is_none(artifact):
    assert find_artifact(artifact.path) == artifact
    lost = artifact.mistral_tokenizer.rename(artifact.mistral_tokenizer.with_name("elsewhere"))
    try:
        assert find_artifact(artifact.path) is None
    finally:
        lost.rename(artifact.mistral_tokenizer)


def test_it_is_spoken_to_by_its_tokenizer(artifact):
    prompts = prompts_of(artifact)
    assert list(prompts.chat.render(chat_input([USER]), 100).prompt.token_ids)[:2] == [1, 3]
    assert list(prompts.fim.render("x", "", 100).tokens.token_ids)[:3] == [1, 16, 14]
    assert len(prompts.vocabulary) == artifact.manifest.vocabulary_size
    assert prompts.vocabulary.stop_ids == {2}


def test_strict_mode_reaches_its_prompts(artifact):
    call = {"id": "call_98660886", "function": {"name": "f", "arguments": "{}"}}
    answer = {"role": "assistant", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "call_98660886", "content": ""}

    prompts_of(artifact).chat.render(chat_input([USER, answer, result]), 100)
    with pytest.raises(FunctionCallError):
        prompts_of(artifact, strict=True).chat.render(chat_input([USER, answer, result]), 100)


def test_a_tokenizer_for_another_vocabulary_is_refused(tmp_path):
    folder = write_mistral_model(tmp_path / "weights", "v7-tekken")
    other = write_mistral_model(tmp_path / "other", "v3")
    (folder / "tekken.json").unlink()
    for file in other.glob("*.model.v3"):
        (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelStoreError, match="its embedding"):
        convert_in_subprocess(folder, tmp_path)


def test_a_start_without_such_a_model_does_not_import_the_library():
    code = "import sys, tramontane.bootstrap; sys.exit('mistral_common' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
