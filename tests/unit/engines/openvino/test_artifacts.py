import os
import signal
import subprocess
import sys

import msgspec
import pytest

from tramontane.engines.openvino import artifacts
from tramontane.engines.openvino.artifacts import Job, artifact_path, find_artifact, make_artifact
from tramontane.errors import ModelStoreError
from tramontane.weights.artifact import ArtifactManifest

FILES = ("openvino_model.xml", "openvino_model.bin", "tokenizer.json", "model.json")
MANIFEST = msgspec.json.encode(
    ArtifactManifest(
        task="embed",
        architecture="bert",
        source="",
        quantization="f32",
        vocabulary_size=1,
        max_context_length=1,
        layers=1,
    )
)
WRITER = """
import os, signal, sys, time
from pathlib import Path
from tramontane.engines.openvino.artifacts import make_artifact

path, log, die_after, manifest, *files = sys.argv[1:]

def write(folder):
    with open(log, "a") as lines:
        lines.write("started\\n")
    time.sleep(0.2)
    for name in files:
        (folder / name).write_text(manifest)
        if name == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

make_artifact(Path(path), write)
"""


def start_writer(path, log, die_after="never"):
    """A process that writes an artifact, or is killed on the way."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(log), die_after, MANIFEST.decode(), *FILES]
    )


def write_all(folder):
    for name in FILES:
        (folder / name).write_bytes(MANIFEST)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "some model!.gguf"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "artifacts" / "key"


def test_the_folder_is_named_after_the_weights_for_people(weights, tmp_path):
    folder = artifact_path(Job(weights), tmp_path / "cache")

    assert folder.parent == tmp_path / "cache" / "artifacts"
    assert folder.name.startswith("some-model-")


def test_the_key_changes_with_weights_builder_and_engine(weights, tmp_path, monkeypatch):
    keys = [artifact_path(Job(weights), tmp_path)]
    weights.write_bytes(b"other weights")
    keys.append(artifact_path(Job(weights), tmp_path))
    os.utime(weights, ns=(1, 1))
    keys.append(artifact_path(Job(weights), tmp_path))
    keys.append(artifact_path(Job(weights, "a" * 64), tmp_path))
    keys.append(artifact_path(Job(weights, "b" * 64), tmp_path))
    keys.append(artifact_path(Job(weights, "b" * 64, "int8"), tmp_path))
    keys.append(artifact_path(Job(weights, "b" * 64, adapter=tmp_path), tmp_path))
    monkeypatch.setattr(artifacts, "BUILDER_VERSION", artifacts.BUILDER_VERSION + 1)
    keys.append(artifact_path(Job(weights, "b" * 64), tmp_path))
    monkeypatch.setattr(artifacts, "version", lambda name: "0.0")
    keys.append(artifact_path(Job(weights, "b" * 64), tmp_path))

    assert len(set(keys)) == len(keys)


def test_a_known_digest_stands_for_the_weights_wherever_they_lie(weights, tmp_path):
    before = artifact_path(Job(weights, "a" * 64), tmp_path)
    (tmp_path / "elsewhere").mkdir()
    moved = weights.rename(tmp_path / "elsewhere" / weights.name)
    os.utime(moved, ns=(1, 1))

    assert artifact_path(Job(moved, "a" * 64), tmp_path) == before


@pytest.mark.parametrize(
    "changed",
    ["config.json", "model.safetensors", "1_Pooling/config.json", "new.jinja", "openvino_model.bin"],
)
def test_the_key_of_a_folder_changes_with_each_file_that_is_read(tmp_path, changed):
    folder = tmp_path / "model"
    for name in ("config.json", "model.safetensors", "1_Pooling/config.json", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    before = artifact_path(Job(folder), tmp_path)
    (folder / "README.md").write_text("not read")
    assert artifact_path(Job(folder), tmp_path) == before

    (folder / changed).write_text("changed")

    assert artifact_path(Job(folder), tmp_path) != before


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ModelStoreError, match=r"no model at .*nothing\.gguf: No such file"):
        artifact_path(Job(tmp_path / "nothing.gguf"), tmp_path)


def test_an_artifact_is_made_once(path):
    assert find_artifact(path) is None
    made = make_artifact(path, write_all)

    assert find_artifact(path) == made
    assert make_artifact(path, pytest.fail) == made


@pytest.mark.parametrize("missing", FILES)
def test_a_folder_that_lacks_a_file_is_no_artifact_and_is_made_anew(path, missing):
    make_artifact(path, write_all)
    (path / missing).unlink()

    assert find_artifact(path) is None
    assert make_artifact(path, write_all).path == path
    assert find_artifact(path) is not None


def test_a_failed_write_leaves_nothing(path):
    def write(folder):
        write_all(folder)
        raise ModelStoreError("no")

    with pytest.raises(ModelStoreError, match=r"^no$"):
        make_artifact(path, write)

    assert find_artifact(path) is None
    assert [entry.name for entry in (path.parent / ".converting").iterdir() if entry.is_dir()] == []


def test_a_full_disk_is_said(path):
    def write(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelStoreError, match=r"key cannot be written: .*No space left"):
        make_artifact(path, write)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_cache_is_said(path):
    path.parent.parent.mkdir(parents=True)
    path.parent.parent.chmod(0o500)

    with pytest.raises(ModelStoreError, match="cannot be written"):
        make_artifact(path, write_all)


@pytest.mark.parametrize("die_after", FILES)
def test_of_a_killed_conversion_nothing_is_believed_and_the_next_one_cleans_up(path, tmp_path, die_after):
    killed = start_writer(path, tmp_path / "log", die_after)
    assert killed.wait(60) == -signal.SIGKILL
    leftover = path.parent / ".converting" / path.name
    assert (leftover / die_after).exists()
    assert find_artifact(path) is None

    other = path.with_name("another")
    make_artifact(other, write_all)

    assert not leftover.exists()
    assert make_artifact(path, write_all).path == path


def test_what_is_being_written_by_a_living_process_is_left_alone(path, tmp_path):
    at_work = start_writer(path, tmp_path / "log")
    while not (tmp_path / "log").exists():
        assert at_work.poll() is None

    make_artifact(path.with_name("another"), write_all)

    assert at_work.wait(60) == 0
    assert find_artifact(path) is not None


def test_processes_that_want_the_same_artifact_write_it_once(path, tmp_path):
    writers = [start_writer(path, tmp_path / "log") for _ in range(3)]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "started\n"
    assert find_artifact(path) is not None
