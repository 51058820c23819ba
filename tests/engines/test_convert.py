"""The conversion as a process of its own: errors, crashes, warm starts."""

import subprocess
import sys

import pytest

from tests.support.tiny_models import (
    CHAT_TEMPLATE,
    END_OF_TEXT,
    TURN_END,
    TinyLlama,
    write_tiny_gguf,
    write_tiny_llama_folder,
)
from tramontane.engines.openvino.convert import convert_in_subprocess
from tramontane.errors import ModelStoreError

pytestmark = pytest.mark.engine

WARM_START = """
import sys
from pathlib import Path
from tramontane.engines.openvino.convert import convert_in_subprocess

convert_in_subprocess(Path(sys.argv[1]), Path(sys.argv[2]), on_start=lambda: sys.exit("not there"))
heavy = {"numpy", "openvino", "gguf", "tokenizers"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
SMALL_DISK = """
import json, resource, sys
from tramontane.engines.openvino.conversion import main

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
request = {"source": sys.argv[2], "cache_dir": sys.argv[3], "quantization": "auto"}
sys.exit(main([json.dumps(request | {"sha256": None, "adapter": None})]))
"""


@pytest.fixture
def tiny(tmp_path):
    return write_tiny_gguf(tmp_path / "tiny.gguf", encoding="Q4_1")


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """Puts a shell script in the place of the child's Python."""

    def replace(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return replace


@pytest.mark.parametrize("write", [write_tiny_gguf, write_tiny_llama_folder])
def test_an_artifact_has_all_that_a_server_needs(tmp_path, write):
    source = write(tmp_path / "tiny.model")

    artifact = convert_in_subprocess(source, tmp_path / "cache")

    manifest, shape = artifact.manifest, TinyLlama()
    assert (manifest.task, manifest.architecture, manifest.quantization) == ("generate", "llama", "f32")
    assert manifest.vocabulary_size == shape.vocabulary_size
    assert manifest.max_context_length == shape.max_context_length
    assert (manifest.layers, manifest.kv_heads, manifest.head_size) == (2, 1, 32)
    assert manifest.stop_token_ids == (END_OF_TEXT, TURN_END)
    assert manifest.special_token_ids == (0, 1, 2)
    assert manifest.source.startswith("tiny.model sha256:")
    assert artifact.chat_template.read_text() == CHAT_TEMPLATE
    assert artifact.graph.exists()
    assert artifact.tokenizer.exists()


def test_a_second_start_makes_nothing_and_imports_nothing_heavy(tiny, tmp_path):
    started = []
    for _ in range(2):
        convert_in_subprocess(tiny, tmp_path / "cache", on_start=lambda: started.append("once"))
    assert started == ["once"]

    warm = subprocess.run(
        [sys.executable, "-c", WARM_START, str(tiny), str(tmp_path / "cache")],
        capture_output=True,
        check=False,
    )

    assert warm.returncode == 0, warm.stderr


def test_the_reason_of_a_refusal_comes_back_and_nothing_stays(tmp_path):
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF but no more")

    with pytest.raises(ModelStoreError, match=r"^.*bad\.gguf cannot be converted: It is not a GGUF file"):
        convert_in_subprocess(bad, tmp_path / "cache")

    assert [path.name for path in (tmp_path / "cache" / "artifacts").iterdir()] == [".converting"]


def test_a_damaged_tensor_extent_is_refused_as_a_truncated_file_is(tiny, tmp_path):
    tiny.write_bytes(tiny.read_bytes()[:-64])

    with pytest.raises(ModelStoreError, match="the file at"):
        convert_in_subprocess(tiny, tmp_path / "cache")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -9 $$", "ended by SIGKILL; perhaps memory ran out"),
        ("kill -11 $$", "ended by SIGSEGV"),
        ("echo first >&2; echo 'RuntimeError: second' >&2; exit 1", "RuntimeError: second"),
        ("exit 7", "exit status 7"),
        ("printf 'because so'; exit 3", "because so"),
    ],
)
def test_a_child_that_fails_is_an_error_that_names_the_file(tiny, tmp_path, interpreter, script, said):
    interpreter(script)

    with pytest.raises(ModelStoreError) as caught:
        convert_in_subprocess(tiny, tmp_path / "cache")

    assert said in str(caught.value)
    assert "tiny.gguf" in str(caught.value) or said == "because so"


@pytest.mark.parametrize("size", [1_000, 20_000, 60_000])
def test_a_disk_that_fills_up_leaves_nothing_that_is_believed(tiny, tmp_path, size):
    child = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(size), str(tiny), str(tmp_path / "cache")],
        capture_output=True,
        check=False,
    )

    assert child.returncode != 0
    assert [path.name for path in (tmp_path / "cache" / "artifacts").iterdir()] == [".converting"]
