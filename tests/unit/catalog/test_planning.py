import json

import pytest

from tramontane.catalog import planning
from tramontane.catalog.machine import Machine
from tramontane.catalog.planning import facts_of_files, require_runnable
from tramontane.errors import ConfigurationError
from tramontane.weights.hub import HubFile, HubListing
from tramontane.weights.hub_files import needed_files
from tramontane.weights.source import HubSource

GB = 10**9


@pytest.fixture
def runnable(monkeypatch, tmp_path):
    monkeypatch.setattr(planning, "this_machine", lambda cache_dir: Machine(8 * GB, 8 * GB, 8, 100 * GB))
    return require_runnable(tmp_path)


def look(repository, parameters=None, **sizes):
    files = [HubFile(path.replace("__", "."), size, "", None) for path, size in sizes.items()]
    listing = HubListing(repository, "c" * 40, files, None, gated=False, parameters=parameters)
    return listing, needed_files(listing, HubSource(repository))


def test_what_fits_in_some_form_is_fetched(runnable):
    # 12e9 numbers of 4.5 bits are 6.75e9 bytes.
    runnable(*look("me/mine", 12 * GB, model__safetensors=24 * GB, config__json=100))
    runnable(*look("me/ggufs", **{"m-Q4_K_M__gguf": 7 * GB, "m-Q8_0__gguf": 14 * GB}))


@pytest.mark.parametrize(
    "found",
    [
        look("me/mine", 24 * GB, model__safetensors=48 * GB, config__json=100),
        look("me/unknown", model__safetensors=48 * GB, config__json=100),
        look("me/ggufs", **{"m-Q4_K_M__gguf": 14 * GB, "m-Q2_K__gguf": 5 * GB}),
    ],
)
def test_what_fits_in_no_form_is_not_even_fetched(runnable, found):
    with pytest.raises(
        ConfigurationError, match=r"needs at least 1\d\.\d GB of memory, and this machine has 8\.0 GB"
    ):
        runnable(*found)


def test_a_mixture_of_experts_is_not_fetched(runnable):
    found = look("mistralai/Mixtral-8x7B-Instruct-v0.1", GB, model__safetensors=GB, config__json=100)
    with pytest.raises(
        ConfigurationError, match="is a mixture of experts, which the engine openvino does not run"
    ):
        runnable(*found)


def test_a_folder_of_openvino_takes_what_it_has(tmp_path):
    (tmp_path / "openvino_model.xml").touch()
    (tmp_path / "openvino_model.bin").write_bytes(bytes(5000))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    [choice] = facts_of_files(tmp_path).choices
    assert (choice.weights, choice.download) == (5000, 0)
