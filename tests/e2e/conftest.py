import pytest

from tests.support.server import running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory, builtin_cache_dir):
    """One server with the built-in models, for every test that leaves it as it was."""
    with running_server(tmp_path_factory.mktemp("data"), builtin_cache_dir) as running:
        yield running
