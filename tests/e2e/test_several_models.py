"""Several models in one server, more than its memory holds: loaded on use, unloaded for one another."""

import json
import threading

import httpx
import pytest

from tests.support.server import running_server
from tests.support.tiny_models import write_tiny_llama_folder
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.e2e, pytest.mark.engine]

ADMIN = "the-operators-admin-key"
MODELS = "/v1/admin/models"


@pytest.fixture(scope="module")
def server(tmp_path_factory, builtin_cache_dir):
    folder = tmp_path_factory.mktemp("several")
    write_tiny_llama_folder(folder / "tiny")
    (folder / "tramontane.toml").write_text(
        f"""
        load = "use"
        memory_limit = "750MB"
        kv_cache_tokens = 4096
        [[models]]
        model = "smollm2-135m-instruct"
        [[models]]
        model = "{folder / "tiny"}"
        aliases = ["mistral-small-latest"]
        keep_alive = "1s"
        [[models]]
        model = "all-minilm-l6-v2"
        """
    )
    options = ("--config", str(folder / "tramontane.toml"))
    env = {"TRAMONTANE_ADMIN_KEY": ADMIN}
    with running_server(folder / "data", builtin_cache_dir, *options, env=env) as running:
        yield running


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture
def admin(server):
    headers = {"Authorization": f"Bearer {ADMIN}"}
    with httpx.Client(base_url=server.base_url, headers=headers, timeout=PATIENCE, trust_env=False) as client:
        yield client


def body(model, **fields):
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, **fields}


def ask(client, model, **fields):
    answer = client.post("/v1/chat/completions", json=body(model, **fields))
    assert answer.status_code == 200, answer.text
    return answer


def states(admin):
    return {card["id"]: card["state"] for card in admin.get(MODELS).json()["data"]}


def test_nothing_is_loaded_before_it_is_asked_for(server, client, admin):
    assert set(states(admin).values()) == {"unloaded"}
    assert not any("worker" in command for _, command in server.children())
    cards = {card["id"]: card for card in client.get("/v1/models").json()["data"]}
    assert cards["smollm2-135m-instruct"]["capabilities"]["function_calling"]
    assert cards["mistral-small-latest"]["name"] == "tiny"
    assert cards["mistral-large-latest"]["name"] == "smollm2-135m-instruct"


def test_each_takes_the_memory_of_the_other_in_turn(server, client, admin):
    for model in ("smollm2-135m-instruct", "tiny", "smollm2-135m-instruct"):
        assert ask(client, model).headers["x-tramontane-model"] == model
        assert states(admin)[model] == "loaded"
        workers = [command for _, command in server.children() if "openvino.worker" in command]
        assert len(workers) == 1
    vectors = client.post("/v1/embeddings", json={"model": "mistral-embed", "input": "Hello"})
    assert len(vectors.json()["data"][0]["embedding"]) == 384


def test_one_that_rests_is_unloaded_when_its_time_is_over(client, admin):
    ask(client, "tiny")
    deadline = threading.Event()
    for _ in range(PATIENCE * 10):
        if states(admin)["tiny"] == "unloaded":
            break
        deadline.wait(0.1)
    assert states(admin)["tiny"] == "unloaded"


def test_an_answer_under_way_is_finished_before_its_model_makes_room(client, admin):
    stream = client.stream(
        "POST", "/v1/chat/completions", json=body("smollm2-135m-instruct", max_tokens=150, stream=True)
    )
    with stream as answer:
        lines = answer.iter_lines()
        next(lines)  # it has begun
        others = []
        other = threading.Thread(target=lambda: others.append(ask(client, "mistral-small-latest")))
        other.start()
        chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    other.join(PATIENCE)
    assert chunks[-1]["choices"][0]["finish_reason"] in {"stop", "length"}
    assert others[0].headers["x-tramontane-model"] == "tiny"
    assert states(admin)["smollm2-135m-instruct"] == "unloaded"


def test_a_model_is_added_to_the_running_server_and_removed(client, admin, tmp_path):
    write_tiny_llama_folder(tmp_path / "Newcomer", seed=1)
    job = admin.post(MODELS, json={"model": str(tmp_path / "Newcomer"), "load": "use"}).json()
    for _ in range(PATIENCE * 10):
        job = admin.get(f"/v1/admin/model-jobs/{job['id']}").json()
        if job["ended_at"]:
            break
        threading.Event().wait(0.1)
    assert (job["state"], job["model"], job["error"]) == ("done", "newcomer", None)
    ask(client, "newcomer")
    assert admin.delete(f"{MODELS}/newcomer").status_code == 200
    refused = client.post("/v1/chat/completions", json=body("newcomer"))
    assert (refused.status_code, refused.json()["type"]) == (400, "invalid_model")
    assert (tmp_path / "Newcomer" / "model.safetensors").exists()
