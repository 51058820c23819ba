"""What deploy/ says of the server is so: its settings, its variables, its probes, its times."""

import re
from pathlib import Path

import pytest
import yaml

from tramontane.api.routes import health
from tramontane.settings import CONFIG_VARIABLE, Settings, env_name, load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and "grafana" not in path.parts)


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.toml")), ids=lambda path: path.parent.name)
def test_its_settings_can_be_loaded(path):
    assert load_settings(path).models


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_variables_are_the_servers(path):
    known = {env_name(field) for field in Settings.model_fields} | {CONFIG_VARIABLE}

    assert set(re.findall(r"\bTRAMONTANE_[A-Z_]+\b", path.read_text())) <= known


@pytest.fixture(scope="module")
def gateway():
    documents = yaml.safe_load_all((DEPLOY / "kubernetes" / "gateway.yaml").read_text())
    return next(document for document in documents if document["kind"] == "Deployment")["spec"]["template"]


def test_its_probes_ask_what_there_is(gateway):
    [container] = gateway["spec"]["containers"]
    probes = [
        container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")
    ]

    assert set(probes) == {"/health/ready", "/health/live"} == {route.path for route in health.router.routes}
    for dockerfile in (DEPLOY / "docker").iterdir():
        assert "/health/ready" in dockerfile.read_text()


def test_a_container_that_is_stopped_has_time_to_drain(gateway):
    grace = Settings().shutdown_grace
    [container] = gateway["spec"]["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())

    assert gateway["spec"]["terminationGracePeriodSeconds"] > grace + pause
    assert int(compose["services"]["gateway"]["stop_grace_period"].removesuffix("s")) > grace


def test_no_secret_lies_in_it():
    for line in (DEPLOY / "compose" / ".env.example").read_text().splitlines():
        name, _, value = line.partition("=")
        assert not value or name == "VLLM_MODEL" or line.startswith("#")
