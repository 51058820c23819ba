import pytest

from tramontane.weights.hub_reference import parse_hub_reference
from tramontane.weights.source import HubSource

MINISTRAL = "mistralai/Ministral-3-3B-Instruct-2512"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (MINISTRAL, HubSource(MINISTRAL)),
        (f"hf:{MINISTRAL}", HubSource(MINISTRAL)),
        (f"{MINISTRAL}@v1.0", HubSource(MINISTRAL, revision="v1.0")),
        (f"{MINISTRAL}@refs/pr/3", HubSource(MINISTRAL, revision="refs/pr/3")),
        (f"{MINISTRAL}-GGUF:q4_k_m", HubSource(f"{MINISTRAL}-GGUF", quantization="Q4_K_M")),
        ("hf:me/mine/deep/m.Q8_0.gguf", HubSource("me/mine", file="deep/m.Q8_0.gguf")),
        ("hf:me/mine/m.GGUF@abc123", HubSource("me/mine", file="m.GGUF", revision="abc123")),
        ("hf:me/mine:Q8_0@main", HubSource("me/mine", quantization="Q8_0")),
    ],
)
def test_a_reference_names_a_source(text, source):
    assert parse_hub_reference(text) == source


@pytest.mark.parametrize(
    "text",
    ["", "mistral-large-latest", "a/b/c", "a/", "/b", "a/b@", "a/b:", "a/../b", "hf:", "a/b@../x", "a b/c",
     "https://huggingface.co/a/b", "a/b/x.safetensors", "hf:a/b/../x.gguf"],
)  # fmt: skip
def test_anything_else_is_no_reference(text):
    assert parse_hub_reference(text) is None


@pytest.mark.parametrize("text", [MINISTRAL, "a/b/c.gguf", "a/b:Q4_0", "a/b@v1", "a/b:Q4_0@v1"])
def test_a_source_is_written_as_it_was_read(text):
    assert parse_hub_reference(text).reference == text


def test_every_reference_has_a_folder_of_its_own():
    texts = [MINISTRAL, "a/b", "a/b/c.gguf", "a/b:Q4_0", "a/b@v1", "a/b:Q4_0@v1", "a/b@refs/pr/1"]
    folders = {parse_hub_reference(text).folder for text in texts}
    assert len(folders) == len(texts)
    assert not [folder for folder in folders if "/" in folder]
