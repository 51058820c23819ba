import pytest

from tramontane.errors import ModelStoreError
from tramontane.weights.hub import HubFile, HubListing
from tramontane.weights.hub_files import needed_files, quantization_of
from tramontane.weights.source import HubSource


def listing(*paths, **sizes):
    files = [HubFile(path, 1, "", None) for path in paths]
    files += [HubFile(path, size, "", None) for path, size in sizes.items()]
    return HubListing("me/mine", "c" * 40, files, None, gated=False, parameters=None)


def needed(repository, **source):
    found = needed_files(repository, HubSource("me/mine", **source))
    return sorted(file.path for file in found.files), found.entry


# As mistralai/Ministral-3-3B-Instruct-2512 has them.
MINISTRAL = (
    ".gitattributes", "README.md", "LICENSE", "chat_template.jinja", "config.json",
    "consolidated.safetensors", "consolidated.safetensors.index.json", "generation_config.json",
    "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
    "model.safetensors.index.json", "params.json",
    "processor_config.json", "tekken.json", "tokenizer.json", "tokenizer_config.json", "assets/plot.png",
)  # fmt: skip


def test_of_the_two_forms_of_a_mistral_repository_one_is_fetched():
    files, entry = needed(listing(*MINISTRAL))
    assert files == sorted([
        "LICENSE", "chat_template.jinja", "config.json", "generation_config.json",
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "params.json", "processor_config.json", "tekken.json", "tokenizer.json", "tokenizer_config.json",
    ])  # fmt: skip
    assert entry == ""


def test_a_repository_in_mistrals_form_only_gives_that():
    files, _ = needed(listing("consolidated.safetensors", "params.json", "tokenizer.model.v3", "README.md"))
    assert files == ["consolidated.safetensors", "params.json", "tokenizer.model.v3"]


def test_an_embedding_model_comes_with_its_modules():
    files, _ = needed(
        listing("model.safetensors", "config.json", "modules.json", "1_Pooling/config.json", "vocab.txt",
                "onnx/model.onnx", "pytorch_model.bin", "openvino/openvino_model.xml", "tokenizer.json")
    )  # fmt: skip
    assert files == sorted(
        [
            "model.safetensors",
            "config.json",
            "modules.json",
            "1_Pooling/config.json",
            "vocab.txt",
            "tokenizer.json",
        ]
    )


def test_an_openvino_model_is_fetched_as_it_is():
    files, _ = needed(
        listing("openvino_model.xml", "openvino_model.bin", "openvino_tokenizer.xml", "config.json")
    )
    assert files == ["config.json", "openvino_model.bin", "openvino_model.xml", "openvino_tokenizer.xml"]


GGUFS = (
    "m.Q8_0.gguf",
    "m.Q4_K_M.gguf",
    "m.Q4_0.gguf",
    "m.BF16-mmproj.gguf",
    "m.F16-00001-of-00002.gguf",
    "LICENSE",
)


def test_of_the_quantisations_one_is_fetched():
    assert needed(listing(*GGUFS)) == (["LICENSE", "m.Q4_K_M.gguf"], "m.Q4_K_M.gguf")
    assert needed(listing(*GGUFS), quantization="Q8_0") == (["LICENSE", "m.Q8_0.gguf"], "m.Q8_0.gguf")
    assert needed(listing(*GGUFS), file="m.Q4_0.gguf")[1] == "m.Q4_0.gguf"


def test_of_unknown_quantisations_the_smallest_is_fetched():
    assert needed(listing(**{"a.gguf": 5, "b.gguf": 4}))[1] == "b.gguf"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"quantization": "Q5_0"}, r"it has no Q5_0; it has Q4_0, Q4_K_M, Q8_0\."),
        ({"quantization": "F16"}, r"its F16 comes in several parts"),
        ({"file": "m.Q4_K_S.gguf"}, r"no file 'm\.Q4_K_S\.gguf'; did you mean m\.Q4_K_M\.gguf\?"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(source, message):
    with pytest.raises(ModelStoreError, match=message):
        needed(listing(*GGUFS), **source)


def test_pickles_are_not_weights_that_can_be_loaded():
    with pytest.raises(ModelStoreError, match=r"no weights that can be loaded.*pytorch_model\.bin"):
        needed(listing("pytorch_model.bin", "config.json"))


@pytest.mark.parametrize(
    ("name", "quantization"),
    [
        ("Ministral-3-3B-Instruct-2512-Q4_K_M.gguf", "Q4_K_M"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"),
        ("m-iq4_xs.gguf", "IQ4_XS"),
        ("deep/Mistral-7B-v0.3.IQ4_NL.gguf", "IQ4_NL"),
        ("m.Q6_K.gguf", "Q6_K"),
        ("m-Q3_K_XL.gguf", "Q3_K_XL"),
        ("m-BF16.gguf", "BF16"),
        ("mixtral-8x7b.gguf", None),
    ],
)
def test_the_name_of_a_file_tells_its_quantisation(name, quantization):
    assert quantization_of(name) == quantization
