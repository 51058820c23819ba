"""Formats of weights besides plain ones: FP8, Mistral's own, graphs of OpenVINO, adapters, fewer bits."""

import json
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from tests.support.graph_runner import EXACT, run_graphs, run_pipelines
from tests.support.mistral_tokenizers import write_tekken
from tests.support.reference_cases import EMBEDDERS, MINISTRAL, PROMPT, TEXTS
from tests.support.reference_models import bert_embedding, llama_greedy, llama_logits
from tests.support.tiny_models import (
    TinyBert,
    TinyLlama,
    tiny_bert_weights,
    tiny_llama_weights,
    tiny_wordpiece_tokenizer,
    write_safetensors,
    write_tiny_bert_folder,
    write_tiny_gguf,
    write_tiny_llama_folder,
    write_tiny_lora,
    write_tiny_mistral_folder,
)
from tramontane.engines.openvino.conversion import convert
from tramontane.errors import ModelStoreError

pytestmark = pytest.mark.engine

INPUTS = {
    "input_ids": [PROMPT],
    "attention_mask": [[1] * len(PROMPT)],
    "position_ids": [list(range(len(PROMPT)))],
    "beam_idx": [0],
}
WIDE = TinyLlama(hidden_size=128, feed_forward_size=256, heads=4, kv_heads=2)


def deviation(logits: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in standard deviations of what is expected."""
    return float(np.abs(logits - expected).max() / expected.std())


def logits_of(artifact) -> np.ndarray:
    return run_graphs({"it": artifact.graph}, INPUTS)["it"][0]


def f8_e4m3(codes: np.ndarray) -> np.ndarray:
    """Through halves: the same mantissa, an exponent whose bias is greater by 8, and subnormals by hand."""
    codes = codes.astype(np.uint16)
    sign, rest = codes & 0x80, codes & 0x7F
    normal = ((sign << 8) | ((rest << 7) + (8 << 10))).view(np.float16).astype(np.float32)
    tiny = (rest & 7) * np.float32(2.0**-9) * np.where(sign, np.float32(-1), np.float32(1))
    return np.where(rest < 8, tiny, normal)


def in_f8(
    weights: dict[str, np.ndarray], scales: dict[str, np.ndarray], suffix: str, block: int | None = None
):
    """Matrices of layers as random bytes with `scales`: what to write, and the numbers that it stands for."""
    random = np.random.default_rng(0)
    stored, numbers = dict(weights), dict(weights)
    for name, weight in weights.items():
        if weight.ndim != 2 or "layers" not in name:
            continue
        codes = (
            random.integers(0, 0x7F, weight.shape, np.uint8) & 0x3F
            | random.integers(0, 2, weight.shape, np.uint8) << 7
        )
        scale = (
            scales["one"]
            if block is None
            else random.uniform(0.02, 0.06, [-(-n // block) for n in weight.shape])
        )
        scale = np.asarray(scale, np.float32)
        stored[name] = codes
        stored[name.removesuffix("weight") + suffix] = scale
        stored[name.removesuffix("weight") + "activation_scale"] = np.ones((), np.float32)
        whole = (
            scale
            if block is None
            else scale.repeat(block, 0).repeat(block, 1)[: len(codes), : codes.shape[1]]
        )
        numbers[name] = f8_e4m3(codes) * whole
    return stored, numbers


def test_fp8_with_one_scale_a_matrix(tmp_path):
    stored, numbers = in_f8(tiny_llama_weights(WIDE), {"one": 0.05}, "weight_scale_inv")
    folder = write_tiny_llama_folder(
        tmp_path / "model", shape=WIDE, config={"quantization_config": {"quant_method": "fp8"}}
    )
    write_safetensors(folder / "model.safetensors", stored, "F32")

    artifact = convert(folder, tmp_path, quantization="none")

    # The numbers are brought to 16 bits: seven of mantissa hold the three of FP8 times a scale.
    assert deviation(logits_of(artifact), llama_logits(numbers, WIDE, PROMPT)) < 0.1
    assert artifact.manifest.quantization == "f8_e4m3"


def test_fp8_with_a_scale_a_block(tmp_path):
    stored, numbers = in_f8(tiny_llama_weights(WIDE), {}, "weight_scale_inv", block=48)
    quantized = {"quant_method": "fp8", "weight_block_size": [48, 48]}
    folder = write_tiny_llama_folder(
        tmp_path / "model", shape=WIDE, config={"quantization_config": quantized}
    )
    write_safetensors(folder / "model.safetensors", stored, "F32")

    artifact = convert(folder, tmp_path)

    assert deviation(logits_of(artifact), llama_logits(numbers, WIDE, PROMPT)) < 0.2
    assert artifact.manifest.quantization == "int8"


def test_scales_that_do_not_fit_are_refused(tmp_path):
    stored, _ = in_f8(tiny_llama_weights(WIDE), {}, "weight_scale_inv", block=48)
    quantized = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    folder = write_tiny_llama_folder(
        tmp_path / "model", shape=WIDE, config={"quantization_config": quantized}
    )
    write_safetensors(folder / "model.safetensors", stored, "F32")

    with pytest.raises(ModelStoreError, match=r"scales of tensor .*, which does not fit"):
        convert(folder, tmp_path)


def test_fp8_without_its_scale_is_refused(tmp_path):
    stored, _ = in_f8(tiny_llama_weights(WIDE), {"one": 0.05}, "something_else")
    folder = write_tiny_llama_folder(tmp_path / "model", shape=WIDE)
    write_safetensors(folder / "model.safetensors", stored, "F32")

    with pytest.raises(ModelStoreError, match="its scale is missing"):
        convert(folder, tmp_path)


@pytest.mark.parametrize(
    ("quantization", "tolerance"), [("int8", 0.2), ("int4-32", 2.0), ("int4", 2.5), ("int4-128", 3.0)]
)
def test_rounding_moves_logits_by_so_much(tmp_path, quantization, tolerance):
    """Nets of random weights make much of small differences."""
    folder = write_tiny_llama_folder(tmp_path / "model", shape=WIDE)
    exact = llama_logits(tiny_llama_weights(WIDE), WIDE, PROMPT)

    artifact = convert(folder, tmp_path, quantization=quantization)

    logits = logits_of(artifact)
    assert deviation(logits, exact) < tolerance
    assert np.corrcoef(logits.ravel(), exact.ravel())[0, 1] > 0.9
    assert artifact.manifest.quantization == quantization
    plain = convert(folder, tmp_path, quantization="none")
    assert (
        artifact.graph.with_suffix(".bin").stat().st_size < plain.graph.with_suffix(".bin").stat().st_size / 3
    )


def test_quantised_weights_can_be_rounded_further_but_never_grow(tmp_path):
    file = write_tiny_gguf(tmp_path / "model.gguf", shape=WIDE, encoding="Q8_0")
    sizes = {
        quantization: convert(file, tmp_path, quantization=quantization)
        .graph.with_suffix(".bin")
        .stat()
        .st_size
        for quantization in ("auto", "int8", "int4")
    }

    assert sizes["auto"] == sizes["int8"]
    assert sizes["int4"] < sizes["int8"]


@pytest.fixture
def mistral_shape(tmp_path):
    """Of a model whose tokens are those of a Mistral tokenizer."""
    tokenizer = write_tekken(tmp_path / "tokenizer" / "tekken.json", "v7", text_tokens=512)
    tokens = json.loads(tokenizer.read_text())["config"]["default_vocab_size"]
    return tokenizer, TinyLlama(vocabulary=tokens, tied=False, heads=4, kv_heads=2)


def test_mistrals_own_format_is_the_same_model(tmp_path, mistral_shape):
    tokenizer, shape = mistral_shape
    weights = tiny_llama_weights(shape)
    theirs = write_tiny_llama_folder(
        tmp_path / "theirs", shape=shape, config={"model_type": "ministral3", "rope_parameters": MINISTRAL}
    )
    (theirs / "tekken.json").write_bytes(tokenizer.read_bytes())
    mistrals = write_tiny_mistral_folder(
        tmp_path / "mistrals",
        weights,
        shape,
        tokenizer,
        params={
            "yarn": {
                "factor": 16.0,
                "original_max_position_embeddings": 8,
                "beta": 4.0,
                "alpha": 1.0,
                "apply_scale": False,
            },
            "llama_4_scaling": {"original_max_position_embeddings": 8, "beta": 0.1},
        },
    )
    artifacts = {"theirs": convert(theirs, tmp_path), "mistrals": convert(mistrals, tmp_path)}

    logits = run_graphs({name: artifact.graph for name, artifact in artifacts.items()}, INPUTS)

    assert deviation(logits["mistrals"], logits["theirs"]) < 1e-5
    manifests = [artifact.manifest for artifact in artifacts.values()]
    assert [manifest.mistral_tokenizer for manifest in manifests] == ["tekken.json", "tekken.json"]
    assert manifests[1].max_context_length == shape.max_context_length
    assert manifests[1].stop_token_ids == (2,)


def test_mistrals_own_format_with_fp8_shards_and_eyes(tmp_path, mistral_shape):
    tokenizer, shape = mistral_shape
    stored, numbers = in_f8(tiny_llama_weights(shape), {"one": 0.05}, "qscale_weight")
    stored = {name: value for name, value in stored.items() if not name.endswith("activation_scale")}
    stored["vision_encoder.patch_conv.weight"] = np.ones((2, 2), np.float32)
    folder = write_tiny_mistral_folder(
        tmp_path / "model",
        stored,
        shape,
        tokenizer,
        params={"quantization": {"qformat_weight": "fp8_e4m3", "qscheme_act": "TENSOR"}, "sliding_window": 6},
        shards=2,
    )

    artifact = convert(folder, tmp_path, quantization="none")

    expected = llama_logits(numbers, shape, PROMPT, window=6)
    assert deviation(logits_of(artifact), expected) < 0.1


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"moe": {"num_experts": 8}}, "mixture of experts"),
        ({"q_lora_rank": 8}, "latent"),
        ({"quantization": {"qformat_weight": "nvfp4"}}, "nvfp4"),
        ({"dim": None}, "params.json cannot be used"),
        ({"n_layers": 1 << 40}, "layers"),
    ],
)
def test_what_is_not_supported_of_mistrals_format_is_named(tmp_path, mistral_shape, params, said):
    tokenizer, shape = mistral_shape
    folder = write_tiny_mistral_folder(
        tmp_path / "model", tiny_llama_weights(shape), shape, tokenizer, params=params
    )

    with pytest.raises(ModelStoreError, match=said):
        convert(folder, tmp_path)


def test_a_folder_in_mistrals_format_needs_its_tokenizer(tmp_path, mistral_shape):
    tokenizer, shape = mistral_shape
    folder = write_tiny_mistral_folder(tmp_path / "model", tiny_llama_weights(shape), shape, tokenizer)
    (folder / "tekken.json").unlink()

    with pytest.raises(ModelStoreError, match=r"no tokenizer: tekken\.json"):
        convert(folder, tmp_path)


@pytest.fixture(scope="module")
def ir_folder(tmp_path_factory):
    """A decoder as optimum-intel exports it: graph, config.json and tokenizer, no weights beside it."""
    root = tmp_path_factory.mktemp("ir")
    folder = write_tiny_llama_folder(root / "exported")
    graph = convert(folder, root).graph
    for file in (graph, graph.with_suffix(".bin")):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "model.safetensors").unlink()
    return folder


def test_a_graph_of_openvino_is_used_as_it_is(ir_folder, tmp_path):
    shape, new_tokens = TinyLlama(), 8

    artifact = convert(ir_folder, tmp_path)

    assert artifact.graph.resolve() == (ir_folder / "openvino_model.xml").resolve()
    manifest = artifact.manifest
    assert (manifest.task, manifest.architecture, manifest.layers) == ("generate", "llama", 2)
    assert (manifest.kv_heads, manifest.head_size) == (shape.kv_heads, shape.head_size)
    assert manifest.vocabulary_size == shape.vocabulary_size
    assert manifest.max_context_length == shape.max_context_length
    assert artifact.chat_template is not None
    answer = run_pipelines({"ir": artifact.path}, PROMPT, new_tokens)["ir"]
    assert answer["tokens"] == llama_greedy(tiny_llama_weights(shape), shape, PROMPT, new_tokens)


def test_a_graph_of_openvino_keeps_its_weights(ir_folder, tmp_path):
    with pytest.raises(ModelStoreError, match="finished graph"):
        convert(ir_folder, tmp_path, quantization="int4")


@pytest.mark.parametrize("content", [b"", b"<net", b"<net name='x'/>", bytes(1000)])
def test_a_damaged_graph_is_refused(tmp_path, content):
    folder = write_tiny_llama_folder(tmp_path / "exported")
    (folder / "openvino_model.xml").write_bytes(content)
    (folder / "openvino_model.bin").write_bytes(b"")

    with pytest.raises(ModelStoreError, match=r"openvino_model\.xml cannot be read"):
        convert(folder, tmp_path)


def test_a_graph_for_something_else_is_refused(tmp_path):
    folder = write_tiny_llama_folder(tmp_path / "exported")
    image = ov.opset13.parameter([1, 3, 8, 8], ov.Type.f32)
    image.output(0).set_names({"image"})
    result = ov.opset13.relu(image)
    result.output(0).set_names({"pixels"})
    ov.save_model(ov.Model([result], [image], "vision"), folder / "openvino_model.xml")

    with pytest.raises(ModelStoreError, match=r"outputs \['pixels'\]; supported are logits"):
        convert(folder, tmp_path)


def test_an_encoders_graph_gets_the_pooling_that_its_files_ask_for(tmp_path):
    shape = TinyBert()
    folder = write_tiny_bert_folder(tmp_path / "exported")
    _export_hidden_states(folder, tmp_path)
    (folder / "model.safetensors").unlink()

    artifact = convert(folder, tmp_path)

    assert (artifact.manifest.task, artifact.manifest.embedding_dimension) == ("embed", shape.hidden_size)
    longest = max(map(len, TEXTS))
    batch = {
        "input_ids": [text + [0] * (longest - len(text)) for text in TEXTS],
        "attention_mask": [[1] * len(text) + [0] * (longest - len(text)) for text in TEXTS],
    }
    vectors = run_graphs({"bert": artifact.graph}, batch, EXACT)["bert"]
    weights = tiny_bert_weights(shape, tiny_wordpiece_tokenizer().get_vocab_size())
    expected = [bert_embedding(weights, shape, text) for text in TEXTS]
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def _export_hidden_states(folder: Path, cache_dir: Path) -> None:
    """The encoder's graph up to its hidden states, with the third input that exported ones have."""
    graph = ov.Core().read_model(convert(folder, cache_dir).graph)
    hidden = next(
        node for node in graph.get_ordered_ops() if node.get_type_name() == "Multiply" and _is_pooled(node)
    )
    states = hidden.input_value(0)
    states.get_node().output(0).set_names({"last_hidden_state"})
    types = ov.opset13.parameter([-1, -1], ov.Type.i64)
    types.output(0).set_names({"token_type_ids"})
    zero = ov.opset13.multiply(ov.opset13.convert(types, ov.Type.f32), ov.opset13.constant(np.float32(1)))
    marked = ov.opset13.add(states, ov.opset13.unsqueeze(zero, ov.opset13.constant(np.int64(2))))
    marked.output(0).set_names({"last_hidden_state"})
    states.get_node().output(0).set_names(set())
    exported = ov.Model([marked], [*graph.get_parameters(), types], "exported")
    ov.save_model(exported, folder / "openvino_model.xml", compress_to_fp16=False)


def _is_pooled(node: ov.Node) -> bool:
    """The product of hidden states and the mask: its second factor is [batch, tokens, 1]."""
    return node.input_value(1).get_node().get_type_name() == "Unsqueeze"


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True}, {"alpha_pattern": {"q_proj": 3}}])
def test_an_adapter_is_worked_into_the_weights(tmp_path, settings):
    shape = TinyLlama()
    folder = write_tiny_llama_folder(tmp_path / "model", shape=shape)
    adapter, numbers = write_tiny_lora(tmp_path / "adapter", tiny_llama_weights(shape), settings)

    artifact = convert(folder, tmp_path, adapter=adapter)

    assert deviation(logits_of(artifact), llama_logits(numbers, shape, PROMPT)) < 1e-4
    assert artifact.path.name.startswith("adapter-")
    assert artifact.manifest.source.endswith("with the adapter adapter")
    unchanged = convert(folder, tmp_path)
    assert deviation(logits_of(unchanged), llama_logits(numbers, shape, PROMPT)) > 0.1


def test_an_adapter_fits_a_gguf_file_of_the_same_weights(tmp_path):
    shape = TinyLlama()
    file = write_tiny_gguf(tmp_path / "model.gguf", shape=shape, encoding="F32")
    adapter, numbers = write_tiny_lora(tmp_path / "adapter", tiny_llama_weights(shape), {})

    artifact = convert(file, tmp_path, adapter=adapter)

    assert deviation(logits_of(artifact), llama_logits(numbers, shape, PROMPT)) < 1e-4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"peft_type": "IA3"}, "IA3; supported is LORA"),
        ({"use_dora": True}, "use_dora"),
        ({"r": "many"}, "adapter_config.json cannot be used"),
        ({"alpha_pattern": {"(": 3}}, "cannot be read"),
    ],
)
def test_an_adapter_of_another_kind_is_refused(tmp_path, settings, said):
    folder = write_tiny_llama_folder(tmp_path / "model")
    adapter, _ = write_tiny_lora(tmp_path / "adapter", tiny_llama_weights(), settings)

    with pytest.raises(ModelStoreError, match=said):
        convert(folder, tmp_path, adapter=adapter)


def test_an_adapter_of_another_model_is_refused(tmp_path):
    folder = write_tiny_llama_folder(tmp_path / "model", shape=TinyLlama(layers=1))
    deeper, _ = write_tiny_lora(tmp_path / "deeper", tiny_llama_weights(), {})
    wider, _ = write_tiny_lora(tmp_path / "wider", tiny_llama_weights(WIDE), {}, layers=1)

    with pytest.raises(ModelStoreError, match=r"for another model: it changes model\.layers\.1"):
        convert(folder, tmp_path, adapter=deeper)
    with pytest.raises(ModelStoreError, match="do not fit tensor"):
        convert(folder, tmp_path, adapter=wider)


def test_an_embedder_reads_as_far_as_its_files_say_and_ends_its_texts(tmp_path):
    folder = EMBEDDERS["qwen3"](tmp_path / "model")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 100}))
    settings = {"add_bos_token": False, "add_eos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))

    artifact = convert(folder, tmp_path)

    assert artifact.manifest.task == "embed"
    assert artifact.manifest.max_context_length == 100
    tokenizer = json.loads(artifact.tokenizer.read_text())
    assert tokenizer["post_processor"]["type"] == "TemplateProcessing"
