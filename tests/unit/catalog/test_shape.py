import json

import pytest

from tramontane.catalog.shape import ModelShape, shape_of_config, shape_of_files, shape_of_json

# As mistralai/Ministral-3-3B-Instruct-2512 has them, shortened.
MINISTRAL = {
    "model_type": "mistral3",
    "text_config": {
        "model_type": "ministral3", "hidden_size": 3072, "num_hidden_layers": 26, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 262144,
    },
    "vision_config": {"num_hidden_layers": 24, "num_attention_heads": 16},
}  # fmt: skip


def test_a_model_that_sees_has_the_measures_of_its_text_side():
    assert shape_of_config(MINISTRAL) == ModelShape("ministral3", 26, 8, 128, 262144)


def test_a_head_is_its_part_of_the_width_unless_it_is_said():
    config = {"model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9}
    assert shape_of_config(config | {"num_key_value_heads": 3}) == ModelShape("llama", 30, 3, 64)
    assert shape_of_config(config) == ModelShape("llama", 30, 9, 64)


def test_an_encoder_keeps_nothing():
    config = {"model_type": "bert", "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12}
    assert shape_of_config(config | {"max_position_embeddings": 512}) == ModelShape("bert", 6, 0, 32, 512)


def test_experts_are_counted():
    config = {
        "model_type": "mixtral", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "num_local_experts": 8,
    }  # fmt: skip
    assert shape_of_config(config).experts == 8


def test_mistrals_own_form_is_read():
    params = {"dim": 5120, "n_layers": 40, "head_dim": 128, "n_heads": 32, "n_kv_heads": 8}
    assert shape_of_config(params) == ModelShape("mistral", 40, 8, 128)
    assert shape_of_config(params | {"moe": {"num_experts": 8}}).experts == 8


@pytest.mark.parametrize(
    "config",
    [{}, {"num_attention_heads": 0, "num_hidden_layers": 2, "hidden_size": 8}, {"n_layers": 2},
     {"num_attention_heads": "many", "num_hidden_layers": 2}, {"text_config": 5}],
)  # fmt: skip
def test_a_configuration_without_measures_is_unknown(config):
    assert shape_of_config(config) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{"])
def test_what_is_no_object_is_unknown(content):
    assert shape_of_json(content) is None


def test_a_folder_is_read(tmp_path):
    assert shape_of_files(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps(MINISTRAL))
    assert shape_of_files(tmp_path).layers == 26


def test_a_damaged_gguf_file_is_unknown(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF")
    assert shape_of_files(path) is None
