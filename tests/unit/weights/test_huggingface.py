import json

import numpy as np
import pytest

from tests.support.tiny_models import (
    CHAT_TEMPLATE,
    END_OF_TEXT,
    TURN_END,
    TURN_START,
    TinyLlama,
    write_tiny_bert_folder,
    write_tiny_llama_folder,
)
from tramontane.errors import ModelStoreError
from tramontane.weights.huggingface import read_huggingface_model
from tramontane.weights.model import SentenceConfig
from tramontane.weights.rope import Llama3Scaling, inverse_frequencies

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def llama(folder, **config):
    return read_huggingface_model(write_tiny_llama_folder(folder, config=config))


def change(folder, name, **values):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


def test_a_decoder_folder_is_read(tmp_path):
    model = llama(tmp_path)

    shape = TinyLlama()
    assert model.config.architecture == "llama"
    assert model.config.vocabulary_size == shape.vocabulary_size
    assert model.config.tied_embeddings
    assert model.encoding == "f32"
    assert model.chat_template == CHAT_TEMPLATE
    assert model.stop_token_ids == (END_OF_TEXT, TURN_END)
    assert model.bos_token_id is None
    np.testing.assert_array_equal(
        model.config.inverse_frequencies,
        inverse_frequencies(shape.head_size, shape.rope_base).astype(np.float32),
    )


def test_a_begin_token_is_set_where_the_model_wants_it(tmp_path):
    folder = change(write_tiny_llama_folder(tmp_path), "tokenizer_config.json", add_bos_token=True)

    assert read_huggingface_model(folder).bos_token_id == TURN_START


def test_a_template_in_a_file_of_its_own_wins(tmp_path):
    folder = write_tiny_llama_folder(tmp_path)
    (folder / "chat_template.jinja").write_text("mine")

    assert read_huggingface_model(folder).chat_template == "mine"


def test_of_named_templates_the_default_is_taken(tmp_path):
    templates = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]
    folder = change(write_tiny_llama_folder(tmp_path), "tokenizer_config.json", chat_template=templates)

    assert read_huggingface_model(folder).chat_template == "yes"


@pytest.mark.parametrize(
    ("config", "windows"),
    [
        ({"model_type": "mistral", "sliding_window": 128}, (128, 128)),
        ({"model_type": "mistral", "sliding_window": None}, ()),
        ({"model_type": "mistral", "sliding_window": 512}, ()),  # as long as the context
        ({"model_type": "qwen2", "sliding_window": 128, "use_sliding_window": False}, ()),
        ({"model_type": "qwen2", "sliding_window": 128}, ()),
        (
            {
                "model_type": "qwen3",
                "sliding_window": 128,
                "use_sliding_window": True,
                "max_window_layers": 1,
            },
            (0, 128),
        ),
        (
            {
                "model_type": "ministral",
                "sliding_window": 64,
                "layer_types": ["sliding_attention", "full_attention"],
            },
            (64, 0),
        ),
    ],
)
def test_the_layers_that_see_a_window_only(tmp_path, config, windows):
    read = llama(tmp_path, **config).config

    assert read.windows == windows
    assert read.max_context_length == TinyLlama().max_context_length


def test_a_window_for_each_layer_or_none(tmp_path):
    with pytest.raises(ModelStoreError, match="2 layers, but says of 1"):
        llama(tmp_path, model_type="mistral", sliding_window=64, layer_types=["sliding_attention"])


@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_llama3_scaling_is_worked_into_the_frequencies(tmp_path, key):
    model = llama(tmp_path, **{key: LLAMA3})

    expected = Llama3Scaling(8.0, 1.0, 4.0, 64).apply(inverse_frequencies(32, 10_000.0))
    np.testing.assert_allclose(model.config.inverse_frequencies, expected, rtol=1e-6)


def test_newer_files_have_the_rotary_base_among_the_parameters(tmp_path):
    model = llama(tmp_path, rope_parameters={"rope_type": "default", "rope_theta": 500.0})

    np.testing.assert_allclose(model.config.inverse_frequencies, inverse_frequencies(32, 500.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"model_type": "gemma3"},
            '"gemma3"; supported are llama, mistral, ministral, ministral3, qwen2, qwen3, mistral3',
        ),
        ({"quantization_config": {"quant_method": "awq"}}, "quantised (awq); supported in safetensors"),
        ({"rope_scaling": {"rope_type": "longrope"}}, '"longrope"; supported are linear, dynamic, llama3'),
        ({"rope_scaling": {"rope_type": "yarn"}}, '"yarn" lacks parameters'),
        ({"rope_scaling": {"rope_type": "yarn", "factor": -1.0}}, "yarn has the parameters"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 4.0}}, '"llama3" lacks parameters'),
        ({"hidden_act": "relu"}, '"relu"; supported is silu'),
        ({"partial_rotary_factor": 0.5}, "only a part of each head"),
        ({"num_attention_heads": 0}, "heads"),
        ({"num_key_value_heads": 3}, "do not share 3"),
        ({"num_hidden_layers": -1}, "layers = -1"),
        ({"head_dim": 31}, "size 31"),
        ({"hidden_size": "wide"}, "config.json cannot be used"),
        ({"vocab_size": 20}, "embedding 20 rows"),
        ({"eos_token_id": 99_999}, "the id 99999"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(tmp_path, config, said):
    with pytest.raises(ModelStoreError) as caught:
        llama(tmp_path, **config)
    assert said in str(caught.value)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, missing):
    (write_tiny_llama_folder(tmp_path) / missing).unlink()

    with pytest.raises(ModelStoreError, match=missing):
        read_huggingface_model(tmp_path)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (write_tiny_llama_folder(tmp_path) / name).write_bytes(content)

    with pytest.raises(ModelStoreError, match=name):
        read_huggingface_model(tmp_path)


def test_an_encoder_folder_is_read_and_its_tokenizer_neither_cuts_nor_pads(tmp_path):
    model = read_huggingface_model(write_tiny_bert_folder(tmp_path))

    assert model.config.sentence == SentenceConfig("mean", normalized=True)
    assert model.config.max_context_length == 48
    assert len(model.tokenizer.encode("a b c").ids) == 5
    assert len(model.tokenizer.encode("a " * 100).ids) == 102


def test_an_encoder_reads_no_further_than_it_has_positions(tmp_path):
    folder = change(write_tiny_bert_folder(tmp_path), "sentence_bert_config.json", max_seq_length=9999)

    assert read_huggingface_model(folder).config.max_context_length == 64


def test_pooling_of_the_first_token_is_read(tmp_path):
    folder = write_tiny_bert_folder(tmp_path)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))

    assert read_huggingface_model(folder).config.sentence.pooling == "cls"


def test_other_pooling_is_refused_by_name(tmp_path):
    folder = change(write_tiny_bert_folder(tmp_path), "1_Pooling/config.json", pooling_mode_max_tokens=True)

    with pytest.raises(ModelStoreError, match="pooling_mode_max_tokens"):
        read_huggingface_model(folder)


def test_further_modules_of_an_encoder_are_refused_by_name(tmp_path):
    folder = write_tiny_bert_folder(tmp_path)
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 3, "path": "3_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))

    with pytest.raises(ModelStoreError, match="module Dense"):
        read_huggingface_model(folder)
