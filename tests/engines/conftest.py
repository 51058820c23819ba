import pytest

from tests.support.tiny_models import TinyLlama, write_tiny_bert_folder, write_tiny_llama_folder
from tramontane.engines.openvino.convert import convert_in_subprocess

pytest.register_assert_rewrite("tests.engines.conformance", "tests.engines.conformance_abilities")


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def engine(harness):
    """Started, and shared by the tests of a module: each leaves it idle."""
    engine = harness.create()
    await engine.start()
    yield engine
    await engine.close()


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory):
    """A tiny random model that does not stop by itself, with a context long enough to be cut short."""
    folder = tmp_path_factory.mktemp("llama")
    source = write_tiny_llama_folder(folder / "weights", shape=TinyLlama(max_context_length=4096))
    return convert_in_subprocess(source, folder)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    return convert_in_subprocess(write_tiny_bert_folder(folder / "weights"), folder)
