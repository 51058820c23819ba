import json
import random
from pathlib import Path

import pytest

from tests.support.hub_server import Repository, hub_server
from tramontane.catalog import planning
from tramontane.catalog.machine import Machine
from tramontane.cli import models_plan
from tramontane.cli.main import run
from tramontane.weights import hub_fetch
from tramontane.weights.inventory import stored_models

MINISTRAL = "mistralai/Ministral-3-3B-Instruct-2512"
CODESTRAL = "mistralai/Codestral-22B-v0.1"
RANDOM = random.Random(7)
CONFIG = {
    "model_type": "mistral", "hidden_size": 960, "num_hidden_layers": 30, "num_attention_heads": 8,
    "num_key_value_heads": 8, "head_dim": 120,
}  # fmt: skip
GB = 10**9


@pytest.fixture(autouse=True)
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("tramontane.weights.hub.get_token", lambda: None)
    monkeypatch.setattr(hub_fetch, "shared_cache", lambda: Path("/nowhere"))
    files = {"model.safetensors": RANDOM.randbytes(50_000), "config.json": json.dumps(CONFIG).encode()}
    with hub_server() as server:
        server.repositories[MINISTRAL] = Repository(files, parameters=3 * GB)
        server.repositories[CODESTRAL] = Repository(
            dict(files), card={"license": "other", "license_name": "mnpl"}
        )
        server.repositories["me/ggufs"] = Repository(
            {"m.Q8_0.gguf": bytes(40_000), "m.Q4_K_M.gguf": bytes(20_000)}, card={"license": "apache-2.0"}
        )
        monkeypatch.setenv("TRAMONTANE_HUB_ENDPOINT", server.url)
        yield server


@pytest.fixture(autouse=True)
def cache_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAMONTANE_CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def models(capsys):
    """Runs `tramontane models …`; its exit code, output and errors."""

    def run_models(*arguments):
        code = run(["models", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_models


@pytest.fixture
def has_memory(monkeypatch):
    def set_memory(memory, available=None):
        found = Machine(int(memory), int(available or memory), 8, 100 * GB)
        monkeypatch.setattr(models_plan, "this_machine", lambda cache_dir: found)
        monkeypatch.setattr(planning, "this_machine", lambda cache_dir: found)

    return set_memory


def test_an_empty_store_lists_nothing(models):
    code, out, _ = models("list")
    assert (code, out.splitlines()[0].split()) == (
        0,
        ["MODEL", "FOR", "PARAMETERS", "LICENCE", "SIZE", "SOURCE"],
    )
    assert "ministral" not in out


def test_a_pulled_model_is_listed_shown_verified_and_removed(models, cache_dir):
    code, out, err = models("pull", "ministral-3b-latest")
    assert code == 0
    assert "ministral-3b-2512 is in" in out
    assert f"Fetched {MINISTRAL}" in err

    [row] = [row for row in json.loads(models("list", "--json")[1]) if row["id"] == "ministral-3b-2512"]
    assert (row["source"], row["present"], row["license"]) == (MINISTRAL, True, "Apache-2.0")
    assert row["size"] == 50_000 + len(json.dumps(CONFIG))

    shown = json.loads(models("show", MINISTRAL, "--json")[1])
    assert (shown["id"], shown["present"], shown["hosted"]["id"]) == (
        "ministral-3b-2512",
        True,
        "ministral-3b-2512",
    )
    assert Path(shown["path"]).is_dir()
    assert shown["commit"] == row["commit"]

    code, out, _ = models("verify")
    assert code == 0
    assert "as fetched" in out

    code, out, _ = models("remove", MINISTRAL)
    assert (code, "are free again" in out) == (0, True)
    assert not any((cache_dir / "models" / "hub").iterdir())
    assert models("remove", MINISTRAL)[0] == 3


def test_what_was_converted_of_a_model_goes_with_it(models, cache_dir):
    models("pull", MINISTRAL)
    sha256 = models_sha256(cache_dir)
    manifest = {"task": "generate", "architecture": "llama", "quantization": "int8", "vocabulary_size": 1,
                "max_context_length": 1, "layers": 1}  # fmt: skip
    for name, digest in (("mine-1", sha256), ("other-2", "0" * 64)):
        artifact = cache_dir / "artifacts" / name
        artifact.mkdir(parents=True)
        (artifact / "model.json").write_text(json.dumps(manifest | {"source": f"{name} sha256:{digest}"}))
    assert models("remove", MINISTRAL)[0] == 0
    assert [path.name for path in (cache_dir / "artifacts").iterdir()] == ["other-2"]
    assert models("prune", "--converted")[0] == 0
    assert list((cache_dir / "artifacts").iterdir()) == []


def models_sha256(cache_dir):
    [stored] = stored_models(cache_dir)
    return stored.manifest.sha256


def test_an_altered_file_is_told_and_pulled_again(models, cache_dir):
    models("pull", MINISTRAL)
    [path] = (cache_dir / "models" / "hub").rglob("model.safetensors")
    path.write_bytes(bytes(50_000))
    code, out, err = models("verify", MINISTRAL)
    assert code == 3
    assert "altered: model.safetensors" in out
    assert "`tramontane models pull` fetches" in err
    assert models("pull", MINISTRAL)[0] == 0
    assert models("verify", MINISTRAL)[0] == 0


def test_verify_of_what_is_not_here_says_so(models, tmp_path):
    code, _, err = models("verify", "me/ggufs")
    assert (code, "is not here. `tramontane models pull`" in err) == (3, True)
    (tmp_path / "mine.gguf").touch()
    code, _, err = models("verify", str(tmp_path / "mine.gguf"))
    assert (code, "nothing to compare" in err) == (3, True)


def test_a_restricted_licence_is_shown_and_must_be_accepted(models, hub):
    code, _, err = models("pull", "codestral-2405")
    assert code == 2
    assert "Mistral AI Non-Production License" in err
    assert "--accept-licence" in err
    assert hub.file_requests() == []
    assert models("pull", "codestral-2405", "--accept-licence")[0] == 0
    assert models("remove", "codestral-2405")[0] == 0
    assert models("pull", "codestral-2405", "--accept-license")[0] == 0


def test_a_plan_is_made_before_anything_is_fetched(models, hub, has_memory):
    has_memory(5 * GB, 4 * GB)  # of which 8 bits would take more than the conversion's 60 per cent
    code, out, _ = models("plan", MINISTRAL, "--context", "500", "--concurrency", "2", "--json")
    assert code == 0
    plan = json.loads(out)
    # As the test of the arithmetic has them.
    assert (plan["kv_bytes_per_token"], plan["context_tokens"]) == (61_440, 1000)
    weights = {need["quantization"]: need["weights"] for need in plan["needs"]}
    assert weights == {"none": 6_000_000_000, "int8": 3_187_500_000, "int4": 1_687_500_000}
    assert (plan["picked"], plan["engine"], plan["present"]) == ("int4", "openvino", False)
    assert [need["fit"] for need in plan["needs"]] == ["no", "tight", "yes"]
    assert hub.fetched() == ["config.json"]

    code, out, _ = models("plan", MINISTRAL, "--context", "1000")
    assert "int4 *" in out
    assert "It would run as int4 on the engine openvino." in out
    assert "30 layers, 8 key-value heads of 120" in out


def test_a_plan_of_ggufs_lists_their_quantisations(models, has_memory):
    has_memory(100 * GB)
    plan = json.loads(models("plan", "me/ggufs", "--json")[1])
    assert [(need["quantization"], need["download"]) for need in plan["needs"]] == [
        ("Q8_0", 40_000),
        ("Q4_K_M", 20_000),
    ]
    assert plan["picked"] == "Q4_K_M"
    assert json.loads(models("plan", "me/ggufs:Q8_0", "--json")[1])["picked"] == "Q8_0"


def test_a_plan_of_a_model_that_is_here_needs_no_network(models, hub, has_memory):
    has_memory(100 * GB)
    models("pull", MINISTRAL)
    hub.requests.clear()
    plan = json.loads(models("plan", MINISTRAL, "--json")[1])
    assert (plan["present"], plan["shape"]["layers"]) == (True, 30)
    assert hub.requests == []


def test_a_plan_takes_the_form_that_the_conversion_would(models, has_memory):
    has_memory(100 * GB)
    assert json.loads(models("plan", MINISTRAL, "--json")[1])["picked"] == "int8"
    for name, form in (("int4-128", "int4"), ("none", "none")):
        assert json.loads(models("plan", MINISTRAL, "--quantization", name, "--json")[1])["picked"] == form
    code, _, err = models("plan", "me/ggufs", "--quantization", "int4")
    assert (code, "Name a form in it, as me/ggufs:Q8_0" in err) == (2, True)


def test_what_does_not_fit_is_told(models, has_memory):
    has_memory(GB)
    assert "does not fit into this machine" in models("plan", MINISTRAL)[1]


def test_a_model_without_open_weights_shows_its_stand_in(models):
    code, out, _ = models("show", "mistral-medium-2505")
    assert code == 0
    assert "fair stand-in" in out
    assert "mistral-small-2506" in out
    code, _, err = models("pull", "mistral-medium-2505")
    assert (code, "has no open weights" in err) == (2, True)


def test_the_whole_catalog_is_listed(models):
    out = models("list", "--all")[1]
    assert "mistral-large-2512" in out
    assert "hosted only" in out
    rows = json.loads(models("list", "--all", "--json")[1])
    assert {row["id"] for row in rows} >= {"smollm2-135m-instruct", "mistral-embed-2312", "open-mistral-nemo"}


def test_leftovers_are_pruned(models, cache_dir):
    leftover = cache_dir / "models" / ".fetching" / "hub--me--mine@abc" / "m.part"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(bytes(5000))
    code, out, _ = models("prune")
    assert (code, out.strip()) == (0, "5 kB are free again.")
    assert not leftover.exists()


def test_a_gated_model_says_what_to_do(models, hub):
    hub.repositories[MINISTRAL].gated = True
    code, _, err = models("pull", MINISTRAL)
    assert (code, "Accept its terms at" in err) == (3, True)
