import numpy as np
import pytest

from tests.support.tiny_models import (
    CHAT_TEMPLATE,
    END_OF_TEXT,
    TURN_END,
    TURN_START,
    TinyLlama,
    tiny_llama_weights,
    write_tiny_gguf,
)
from tramontane.errors import ModelStoreError
from tramontane.weights.gguf_model import read_gguf_model
from tramontane.weights.rope import QueryScaling, YarnScaling, inverse_frequencies
from tramontane.weights.tensors import floats

NO_SIZES = {
    "llama.attention.key_length": None,
    "llama.attention.value_length": None,
    "llama.rope.dimension_count": None,
}


def read(tmp_path, **arguments):
    tmp_path.mkdir(exist_ok=True)
    return read_gguf_model(write_tiny_gguf(tmp_path / "tiny.gguf", **arguments))


def test_a_file_is_read_with_all_that_belongs_to_the_model(tmp_path):
    model = read(tmp_path)

    shape = TinyLlama()
    assert model.config.architecture == "llama"
    assert model.config.vocabulary_size == shape.vocabulary_size
    assert model.config.max_context_length == shape.max_context_length
    assert model.config.tied_embeddings
    assert model.chat_template == CHAT_TEMPLATE
    assert model.stop_token_ids == (END_OF_TEXT, TURN_END)
    assert model.bos_token_id is None


@pytest.mark.parametrize("shape", [TinyLlama(heads=4, kv_heads=2), TinyLlama(biases=True, tied=False)])
def test_tensors_have_hugging_faces_names_and_order_of_rows(tmp_path, shape):
    model = read(tmp_path, shape=shape)

    weights = tiny_llama_weights(shape)
    assert set(model.tensors.names) == set(weights)
    for name, weight in weights.items():
        tensor = model.tensors.read(name)
        assert tensor.name == name
        np.testing.assert_array_equal(floats(tensor), weight)


def test_qwen2_rows_are_in_order_already(tmp_path):
    shape = TinyLlama(biases=True)
    plain = read(tmp_path, shape=shape)
    renamed = {key.replace("llama.", "qwen2."): value for key, value in llama_keys(shape).items()}

    model = read(tmp_path / "qwen2", shape=shape, metadata={"general.architecture": "qwen2", **renamed})

    name = "model.layers.0.self_attn.q_proj.weight"
    rows = floats(model.tensors.read(name)).reshape(shape.heads, -1, 2, shape.hidden_size)
    np.testing.assert_array_equal(
        rows.swapaxes(1, 2).reshape(-1, shape.hidden_size), floats(plain.tensors.read(name))
    )


def llama_keys(shape):
    return {
        "llama.block_count": shape.layers,
        "llama.context_length": shape.max_context_length,
        "llama.embedding_length": shape.hidden_size,
        "llama.feed_forward_length": shape.feed_forward_size,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.kv_heads,
        "llama.attention.layer_norm_rms_epsilon": shape.rms_epsilon,
    }


@pytest.mark.parametrize(("pre", "begin"), [("tekken", TURN_START), ("llama3", TURN_START), ("qwen2", None)])
def test_a_file_that_does_not_say_begins_texts_as_its_pre_tokenizer_does(tmp_path, pre, begin):
    silent = {"tokenizer.ggml.pre": pre, "tokenizer.ggml.add_bos_token": None}

    assert read(tmp_path, metadata=silent).bos_token_id == begin


def test_the_encoding_of_most_elements_is_that_of_the_model(tmp_path):
    assert read(tmp_path, encoding="Q4_1", embedding_encoding="Q8_0").encoding == "q4_1"


def test_a_begin_token_is_set_where_the_file_wants_it(tmp_path):
    assert read(tmp_path, metadata={"tokenizer.ggml.add_bos_token": True}).bos_token_id == TURN_START


def test_an_end_of_turn_token_stops_too(tmp_path):
    assert 7 in read(tmp_path, metadata={"tokenizer.ggml.eot_token_id": 7}).stop_token_ids


def test_linear_rope_scaling_divides_the_frequencies(tmp_path):
    keys = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}

    frequencies = read(tmp_path, metadata=keys).config.inverse_frequencies

    np.testing.assert_allclose(frequencies, inverse_frequencies(32, 10_000.0) / 4, rtol=1e-6)


def test_rope_factors_divide_the_frequencies(tmp_path):
    factors = np.linspace(1, 8, 16, dtype=np.float32)

    model = read(tmp_path, extra_tensors={"rope_freqs.weight": factors})

    np.testing.assert_allclose(
        model.config.inverse_frequencies, inverse_frequencies(32, 10_000.0) / factors, rtol=1e-6
    )
    assert "rope_freqs.weight" not in model.tensors.names


def test_a_sliding_window_holds_for_every_layer(tmp_path):
    config = read(tmp_path, metadata={"llama.attention.sliding_window": 100}).config

    assert config.windows == (100, 100)
    assert config.max_context_length == TinyLlama().max_context_length


YARN = {
    "llama.rope.scaling.type": "yarn",
    "llama.rope.scaling.factor": 4.0,
    "llama.rope.scaling.original_context_length": 128,
}


def test_yarn_scales_frequencies_and_heads(tmp_path):
    config = read(tmp_path, metadata=YARN).config

    expected = YarnScaling(4.0, 128).apply(inverse_frequencies(32, 10_000.0))
    np.testing.assert_allclose(config.inverse_frequencies, expected, rtol=1e-6)
    assert config.rotary_magnitude == pytest.approx(0.1 * np.log(4) + 1)
    assert config.query_scaling is None


def test_a_file_may_take_the_magnitude_of_yarn_back_and_let_queries_grow(tmp_path):
    more = {"llama.rope.scaling.yarn_log_multiplier": 1.0, "llama.attention.temperature_scale": 0.1}
    config = read(tmp_path, metadata=YARN | more).config

    assert config.rotary_magnitude == 1.0
    assert config.query_scaling == QueryScaling(float(np.float32(0.1)), 128)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (
            {"general.architecture": "mamba"},
            '"mamba"; supported in GGUF files are llama, mistral3, qwen2, qwen3',
        ),
        ({"general.architecture": None}, "general.architecture is missing"),
        ({"llama.rope.scaling.type": "longrope"}, '"longrope"; supported are linear, yarn and llama3'),
        ({"llama.rope.scaling.type": "yarn"}, "llama.rope.scaling.factor is missing"),
        ({"llama.expert_count": 8}, "llama.expert_count, which is not supported"),
        ({"llama.attention.scale": 0.5}, "llama.attention.scale, which is not supported"),
        ({"llama.rope.dimension_count": 16}, "rope.dimension_count differs"),
        ({"llama.attention.head_count": 0}, "heads = 0"),
        ({"llama.attention.head_count_kv": 3}, "do not share 3"),
        ({"llama.block_count": 0}, "layers = 0"),
        ({"llama.attention.head_count": 1, "llama.embedding_length": 1 << 30, **NO_SIZES}, "size 1073741824"),
        ({"llama.rope.freq_base": 0.0}, "rotary base of 0"),
        ({"split.count": 3}, "one part of a split model"),
        ({"tokenizer.ggml.eos_token_id": 5000}, "the id 5000"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(tmp_path, metadata, said):
    with pytest.raises(ModelStoreError) as caught:
        read(tmp_path, metadata=metadata)
    assert said in str(caught.value)


def test_rope_factors_that_make_no_number_are_refused(tmp_path):
    with np.errstate(divide="ignore"), pytest.raises(ModelStoreError, match="not finite"):
        read(tmp_path, extra_tensors={"rope_freqs.weight": np.zeros(16, np.float32)})


def test_a_missing_tensor_is_named(tmp_path):
    with pytest.raises(ModelStoreError, match=r"lack the tensor model\.nowhere"):
        read(tmp_path).tensors.read("model.nowhere")
