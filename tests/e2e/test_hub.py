"""A model of the hub, from its name to the wire: fetched, converted, and answering as the hosted model."""

import shutil

import pytest

from tests.support.hub_server import Repository, hub_server
from tests.support.mistral_model import CHAT, write_mistral_model
from tests.support.server import running_server

pytestmark = [pytest.mark.e2e, pytest.mark.engine]

MINISTRAL = "mistralai/Ministral-3-3B-Instruct-2512"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = write_mistral_model(tmp_path_factory.mktemp("ministral") / "model")
    with hub_server() as server:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        server.repositories[MINISTRAL] = Repository(files, card={"license": "apache-2.0"})
        yield server


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory, builtin_cache_dir):
    """The built-in models, and room for others."""
    folder = tmp_path_factory.mktemp("cache")
    for name in ("artifacts", "models"):
        shutil.copytree(builtin_cache_dir / name, folder / name, symlinks=True)
    return folder


@pytest.mark.parametrize("offline", [False, True], ids=["fetched", "offline"])
def test_a_hosted_models_weights_are_served_as_that_model(hub, cache_dir, tmp_path, offline):
    hub.requests.clear()
    with (
        running_server(
            tmp_path,
            cache_dir,
            "--model",
            MINISTRAL,
            *(["--offline"] if offline else []),
            env={
                "TRAMONTANE_HUB_ENDPOINT": hub.url,
                "NO_PROXY": "127.0.0.1",
                "HF_HUB_CACHE": str(tmp_path / "hf"),
            },
        ) as server,
        server.client() as client,
    ):
        assert bool(hub.requests) is not offline
        own = client.get("/v1/models/ministral-3b-latest").json()
        assert (own["name"], own["owned_by"]) == ("ministral-3b-2512", "mistralai")
        assert not own["description"].startswith("Stand-in")
        other = client.get("/v1/models/mistral-large-latest").json()
        assert (other["name"], other["description"][:8]) == ("ministral-3b-2512", "Stand-in")
        for model in ("ministral-3b-latest", "ministral-3b-2512", MINISTRAL):
            answer = client.post(
                "/v1/chat/completions",
                json={"model": model, "messages": [{"role": "user", "content": "What is 1 + 1?"}]},
            )
            assert answer.json()["choices"][0]["message"]["content"] == CHAT
            assert answer.headers["x-tramontane-model"] == "ministral-3b-2512"
