import os
from pathlib import Path

import pytest
from hypothesis import settings
from platformdirs import user_cache_path

# A machine may be slow; tests say what is right, not how long it takes.
settings.register_profile("tramontane", deadline=None)
settings.load_profile("tramontane")

# Where `make serve` keeps the built-in models: tests that need them share it, so that they are fetched once.
BUILTIN_CACHE = Path(os.environ.get("TRAMONTANE_CACHE_DIR") or user_cache_path("tramontane", appauthor=False))


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def builtin_cache_dir():
    """A cache folder that holds the built-in models, or will."""
    return BUILTIN_CACHE


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path_factory):
    """No test sees the settings, the models or the home of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("TRAMONTANE_"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
