import pytest

from tramontane.catalog.builtin import default_model
from tramontane.catalog.resolve import adapted_model, find_model, resolve_model
from tramontane.errors import ConfigurationError
from tramontane.weights.source import HubSource, LocalSource

MINISTRAL = "mistralai/Ministral-3-3B-Instruct-2512"


@pytest.fixture
def gguf(tmp_path):
    path = tmp_path / "My Model_v2 (Q4).GGUF"
    path.write_bytes(b"GGUF")
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "MiniLM"
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"")
    return path


def test_none_means_the_builtin_model():
    assert resolve_model(None, "generate") is default_model("generate")
    assert resolve_model(None, "embed") is default_model("embed")


def test_a_builtin_model_is_named_by_its_id():
    assert resolve_model("smollm2-135m-instruct", "generate") is default_model("generate")


def test_a_builtin_model_of_another_task_is_refused():
    with pytest.raises(ConfigurationError, match=r"--model 'all-minilm-l6-v2' is an embedding model"):
        resolve_model("all-minilm-l6-v2", "generate")
    with pytest.raises(
        ConfigurationError, match=r"--embedding-model 'smollm2-135m-instruct' is a chat model"
    ):
        resolve_model("smollm2-135m-instruct", "embed")


def test_a_gguf_file_is_a_chat_model_named_after_it(gguf):
    model = resolve_model(str(gguf), "generate")
    assert model.id == "my-model_v2-q4"
    assert model.source == LocalSource(gguf)
    assert "My Model_v2 (Q4).GGUF" in model.description
    profile = model.profile(4096)
    assert profile.max_context_length == 4096
    assert profile.capabilities.completion_chat
    assert profile.capabilities.completion_fim
    assert "mistral-large-latest" in profile.aliases


def test_a_folder_is_a_model_of_the_task_that_it_was_named_for(folder):
    chat = resolve_model(str(folder), "generate")
    embedding = resolve_model(str(folder), "embed")
    assert (chat.id, embedding.id) == ("minilm", "minilm")
    assert not embedding.capabilities.completion_chat
    assert embedding.profile(512).aliases[0] == "mistral-embed"


def test_paths_are_taken_from_here_and_from_home(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert resolve_model(".", "generate").id == "minilm"
    monkeypatch.setenv("HOME", str(folder.parent))
    assert resolve_model("~/MiniLM", "generate").source == LocalSource(folder)


def test_a_local_model_with_a_hosted_name_is_not_its_own_alias(tmp_path):
    path = tmp_path / "open-mistral-7b.gguf"
    path.touch()
    profile = resolve_model(str(path), "generate").profile(1024)
    assert profile.id == "open-mistral-7b"
    assert "open-mistral-7b" not in profile.aliases


def test_a_name_without_a_usable_letter_gets_one(tmp_path):
    path = tmp_path / "模型.gguf"
    path.touch()
    assert resolve_model(str(path), "generate").id == "local-model"


@pytest.mark.parametrize("value", ["gpt-4o", "./absent.gguf", ""])
def test_what_does_not_exist_is_refused_with_what_is_possible(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigurationError, match=r"smollm2-135m-instruct \(built in\), a \.gguf file, a folder"
    ):
        resolve_model(value, "generate")


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"is a folder without config\.json and \*\.safetensors"):
        resolve_model(str(tmp_path), "generate")


def test_a_file_of_another_kind_is_refused(folder):
    with pytest.raises(ConfigurationError, match=r"another kind than \.gguf"):
        resolve_model(str(folder / "model.safetensors"), "generate")


def test_a_gguf_file_is_no_embedding_model(gguf):
    with pytest.raises(
        ConfigurationError, match=r"--embedding-model .* is a \.gguf file\. Possible are: all-mini"
    ):
        resolve_model(str(gguf), "embed")


@pytest.mark.parametrize("value", ["ministral-3b-2512", "ministral-3b-latest", MINISTRAL, f"hf:{MINISTRAL}"])
def test_a_hosted_model_with_open_weights_is_its_repository(value):
    model = resolve_model(value, "generate")
    assert (model.id, model.source, model.license) == (
        "ministral-3b-2512",
        HubSource(MINISTRAL),
        "Apache-2.0",
    )
    assert model.own_aliases == ("ministral-3b-latest", MINISTRAL)
    profile = model.profile(1_000_000)
    assert (profile.max_context_length, profile.default_temperature) == (131_072, 0.3)
    assert not {"ministral-3b-2512", "ministral-3b-latest"} & set(profile.aliases)


def test_another_form_of_the_weights_is_the_same_model():
    model = resolve_model(f"{MINISTRAL}-GGUF:Q4_K_M@v1", "generate")
    assert model.id == "ministral-3b-2512"
    assert model.source == HubSource(f"{MINISTRAL}-GGUF", "v1", quantization="Q4_K_M")


def test_a_hosted_model_without_open_weights_names_a_stand_in():
    with pytest.raises(
        ConfigurationError,
        match=r"Mistral Medium 3 has no open weights.*stand-in is --model mistral-small-2506\.",
    ):
        resolve_model("mistral-medium-2505", "generate")
    with pytest.raises(ConfigurationError, match=r"--embedding-model mixedbread-ai/mxbai-embed-large-v1\."):
        resolve_model("mistral-embed", "embed")


def test_any_model_of_the_hub_is_named_after_its_repository():
    model = resolve_model("me/My-Tune_v2@v3", "generate")
    assert (model.id, model.source) == ("my-tune_v2", HubSource("me/My-Tune_v2", "v3"))
    assert model.own_aliases == ("me/My-Tune_v2",)
    assert model.license is None
    assert "mistral-large-latest" in model.profile(8192).aliases
    assert resolve_model("me/embed", "embed").default_temperature is None


def test_a_folder_here_goes_before_the_hub_unless_it_is_said(folder, monkeypatch):
    monkeypatch.chdir(folder.parent.parent)
    value = f"{folder.parent.name}/{folder.name}"
    assert resolve_model(value, "generate").source == LocalSource(folder)
    assert resolve_model(f"hf:{value}", "generate").source == HubSource(value)


def test_a_hosted_model_of_another_task_is_refused():
    with pytest.raises(ConfigurationError, match="'ministral-3b-2512' is a chat model"):
        resolve_model(MINISTRAL, "embed")
    with pytest.raises(ConfigurationError, match=r"is a \.gguf file"):
        resolve_model("hf:me/embed/m.gguf", "embed")


def test_a_typing_error_is_corrected():
    with pytest.raises(ConfigurationError, match=r"Did you mean ministral-3b-2512\?"):
        resolve_model("minstral-3b-2512", "generate")


def test_a_model_is_found_without_saying_what_for():
    assert find_model("all-minilm-l6-v2").task == "embed"
    assert find_model("smollm2-135m-instruct").task == "generate"
    assert find_model("ministral-3b-latest").id == "ministral-3b-2512"
    assert find_model("me/mine").task == "generate"


@pytest.mark.parametrize(
    "files", [("params.json", "consolidated.safetensors"), ("openvino_model.xml", "config.json")]
)
def test_other_forms_of_folders_are_models_too(tmp_path, files):
    for name in files:
        (tmp_path / name).touch()
    assert resolve_model(str(tmp_path), "generate").source == LocalSource(tmp_path)


def test_an_adapter_has_the_name_of_its_folder(tmp_path):
    folder = tmp_path / "My Tune"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")

    model = adapted_model(resolve_model(None, "generate"), folder)

    assert (model.id, model.task, model.license) == ("my-tune", "generate", None)
    assert "with the adapter My Tune" in model.description


def test_a_folder_without_an_adapter_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"--adapters: .* adapter_config\.json"):
        adapted_model(resolve_model(None, "generate"), tmp_path)
