"""The commands that speak to a running server about its models, against one with the fake engine."""

import json

import pytest

from tests.support.server import running_server
from tramontane.cli.main import run

pytestmark = pytest.mark.process

ADMIN = "the-operators-admin-key"
SETTINGS = """
engine = "fake"
[[models]]
model = "first"
[[models]]
model = "lazy"
load = "command"
keep_alive = "10m"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "tramontane.toml").write_text(SETTINGS)
    options = ("--config", str(folder / "tramontane.toml"))
    env = {"TRAMONTANE_ADMIN_KEY": ADMIN}
    with running_server(folder / "data", folder / "cache", *options, env=env) as running:
        yield running


@pytest.fixture
def tell(server, monkeypatch, capsys):
    """Run `tramontane models …`; returns its status, output and errors."""
    monkeypatch.setenv("TRAMONTANE_BASE_URL", server.base_url)
    monkeypatch.setenv("TRAMONTANE_ADMIN_KEY", ADMIN)

    def tell(*arguments):
        status = run(["models", *arguments])
        return status, *capsys.readouterr()

    return tell


def states(tell):
    return {card["id"]: card["state"] for card in json.loads(tell("ps", "--json")[1])}


def test_a_model_is_loaded_and_unloaded(tell):
    assert states(tell) == {"first": "loaded", "lazy": "unloaded"}
    assert tell("load", "lazy") == (0, "lazy is loaded.\n", "")
    lines = [line.split() for line in tell("ps")[1].splitlines()]
    assert lines[0][:3] == ["MODEL", "STATE", "MEMORY"]
    assert lines[2][:2] == ["lazy", "loaded"]
    assert "in" in lines[2]  # so many minutes it is unloaded
    assert tell("unload", "lazy") == (0, "lazy is unloaded.\n", "")


def test_a_model_is_added_and_dropped(tell, tmp_path):
    status, said, _ = tell("add", "extra", "--task", "generate", "--alias", "mistral-small-latest")
    assert (status, said) == (0, "extra is served.\n")
    assert states(tell)["extra"] == "loaded"
    assert tell("drop", "extra") == (0, "extra is not served any more.\n", "")
    assert "extra" not in states(tell)


def test_what_the_server_refuses_is_told(tell):
    status, said, error = tell("drop", "first")
    assert (status, said) == (1, "")
    assert "the settings name it" in error
    assert "No model is served as nobody" in tell("load", "nobody")[2]
    assert "--keep-alive is 'soon'" in tell("add", "x", "--keep-alive", "soon")[2]


def test_without_an_admin_key_it_says_how_to_get_one(tell, monkeypatch):
    monkeypatch.delenv("TRAMONTANE_ADMIN_KEY")
    status, _, error = tell("ps")
    assert status == 2
    assert "tramontane keys create NAME --admin" in error


def test_a_wrong_key_and_an_absent_server_are_told(tell, monkeypatch):
    assert "Invalid API Key" in tell("ps", "--admin-key", "not-the-admin-key")[2]
    assert "cannot be reached" in tell("ps", "--base-url", "http://127.0.0.1:9")[2]
