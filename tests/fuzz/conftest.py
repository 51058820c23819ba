"""Hostile input: a short version with fixed seeds runs with all tests, `make fuzz` looks further."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.server import running_server

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Of each test; 0 is a few, always the same."""
ADMIN_KEY = "admin-key-of-the-operator"


def effort(few):
    """Decorates a test that tries `few` examples, or as many as `make fuzz` asks for."""
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The whole server with the fake engine; whatever it was asked, it finds no fault of its own."""
    folder = tmp_path_factory.mktemp("fuzz")
    options = ["--engine", "fake", "--slow-client-timeout", "2"]
    environment = {"TRAMONTANE_ADMIN_KEY": ADMIN_KEY}
    with running_server(folder / "data", folder / "cache", *options, env=environment) as running:
        yield running
        assert running.process.poll() is None
        said = "".join(running.errors)
        assert "Traceback" not in said, said[-5000:]
        with running.client() as client:
            counted = client.get("/metrics").text
        assert 'error="unforeseen"' not in counted
        assert 'tramontane_running{model="fake"} 0.0' in counted
