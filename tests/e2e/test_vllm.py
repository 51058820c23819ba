"""A Mistral model on the real vLLM, from its folder to the wire: `make test-vllm`."""

import os
import shutil

import pytest

from tests.support.mistral_chat import MODEL, USER, chat, events_of, function
from tests.support.mistral_model import ANSWER, CALL, CHAT, GAP, RESULT, THOUGHT, write_mistral_model
from tests.support.server import running_server

PYTHON = os.environ.get("VLLM_PYTHON")
if PYTHON is None:
    pytest.skip("make test-vllm puts a vLLM in place", allow_module_level=True)
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
]

TOOL = function(CALL[0], a={"type": "integer"})


@pytest.fixture(scope="module")
def client(tmp_path_factory, builtin_cache_dir):
    cache_dir = tmp_path_factory.mktemp("cache")
    shutil.copytree(builtin_cache_dir / "artifacts", cache_dir / "artifacts")
    (cache_dir / "models").symlink_to(builtin_cache_dir / "models")
    folder = write_mistral_model(tmp_path_factory.mktemp("model") / "mistral")
    settings = tmp_path_factory.mktemp("settings") / "tramontane.toml"
    settings.write_text(
        f"""
        [[models]]
        model = "{folder}"
        vllm_python = "{PYTHON}"

        [models.vllm]
        dtype = "float32"
        enforce_eager = true
        gpu_memory_utilization = 0.1
        tokenizer_mode = "mistral"

        [[models]]
        task = "embed"
        """
    )
    data_dir = tmp_path_factory.mktemp("data")
    with running_server(data_dir, cache_dir, "--config", str(settings), wait=False) as server:
        server.wait_ready(timeout=600)
        with server.client() as client:
            yield client


def test_a_question_is_answered_and_counted(client):
    answer = chat(client, USER)

    assert answer["choices"][0]["message"]["content"] == CHAT
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] > 0


def test_a_stream_says_the_same(client):
    chunks = events_of(client, model=MODEL, messages=[USER], temperature=0)

    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == CHAT


@pytest.mark.parametrize("choice", ["auto", "any"])
def test_tools_are_called_and_their_results_read(client, choice):
    called = chat(client, USER, tools=[TOOL], tool_choice=choice)["choices"][0]["message"]
    [call] = called["tool_calls"]
    assert call["function"] == {"name": CALL[0], "arguments": CALL[1]}

    result = {"role": "tool", "tool_call_id": call["id"], "content": "2"}
    assert chat(client, USER, called, result, tools=[TOOL])["choices"][0]["message"]["content"] == RESULT


def test_a_schema_is_obeyed(client):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    form = {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": schema}}
    content = chat(client, USER, response_format=form)["choices"][0]["message"]["content"]

    assert content.replace(" ", "") in {'{"ok":true}', '{"ok":false}'}


def test_a_thought_is_told_from_the_answer(client):
    answer = chat(client, USER, reasoning_effort="high")["choices"][0]["message"]["content"]

    assert [chunk["type"] for chunk in answer] == ["thinking", "text"]
    assert answer[0]["thinking"] == [{"type": "text", "text": THOUGHT}]
    assert answer[1]["text"] == ANSWER


def test_a_gap_is_filled(client):
    gap = {"prompt": f"def add(a, b):\n   {GAP[0]}", "suffix": "\n\nprint(add(1, 2))"}
    answer = client.post("/v1/fim/completions", json={"model": MODEL, "temperature": 0, **gap}).json()

    assert answer["choices"][0]["message"]["content"] == GAP[1]


def test_vectors_come_from_the_cpu_beside_it(client):
    answer = client.post("/v1/embeddings", json={"model": "mistral-embed", "input": ["one"]})

    assert len(answer.json()["data"]) == 1


def test_the_list_of_models_says_what_it_can(client):
    cards = client.get("/v1/models").json()["data"]

    assert any(card["id"] == MODEL and card["capabilities"]["function_calling"] for card in cards)
