"""Models as people have them, from folder to wire: an adapter, a decoder that embeds, files of OpenVINO."""

import pytest

from tests.support.reference_cases import EMBEDDERS
from tests.support.server import running_server
from tests.support.tiny_models import tiny_llama_weights, write_tiny_llama_folder, write_tiny_lora
from tramontane.engines.openvino.conversion import convert

pytestmark = [pytest.mark.e2e, pytest.mark.engine]


def said(client, model):
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 12,
        "temperature": 0,
    }
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]["content"]


def test_an_adapter_is_a_model_of_its_own_beside_the_one_that_it_is_for(tmp_path):
    base = write_tiny_llama_folder(tmp_path / "base")
    adapter, _ = write_tiny_lora(tmp_path / "My Tune", tiny_llama_weights(), {})
    embedder = EMBEDDERS["qwen3"](tmp_path / "embedder")
    options = ("--model", str(base), "--adapters", str(adapter), "--embedding-model", str(embedder))

    with (
        running_server(tmp_path / "data", tmp_path / "cache", *options, "--quantization", "int8") as server,
        server.client() as client,
    ):
        cards = {card["id"]: card for card in client.get("/v1/models").json()["data"]}
        assert said(client, "my-tune") != said(client, "base") == said(client, "mistral-large-latest")
        assert cards["my-tune"]["aliases"] == []
        assert "adapter" in cards["my-tune"]["description"]
        vectors = client.post("/v1/embeddings", json={"model": "embedder", "input": ["hello", "world"]})
        assert [len(item["embedding"]) for item in vectors.json()["data"]] == [64, 64]


def test_a_graph_of_openvino_is_served_like_its_weights(tmp_path):
    exported = write_tiny_llama_folder(tmp_path / "exported")
    graph = convert(exported, tmp_path / "elsewhere").graph
    for file in (graph, graph.with_suffix(".bin")):
        (exported / file.name).write_bytes(file.read_bytes())
    (exported / "model.safetensors").unlink()
    embedder = EMBEDDERS["bert"](tmp_path / "embedder")
    options = ("--model", str(exported), "--embedding-model", str(embedder))

    with (
        running_server(tmp_path / "data", tmp_path / "cache", *options) as server,
        server.client() as client,
    ):
        assert said(client, "exported") == said(client, "codestral-latest")
