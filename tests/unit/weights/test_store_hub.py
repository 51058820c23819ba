import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.file_server import Corrupt, Cut, Stall, Status
from tests.support.hub_server import Repository, hub_server
from tramontane.errors import ModelStoreError
from tramontane.weights import download, hub_fetch
from tramontane.weights.download import Downloader
from tramontane.weights.fetch_site import FetchSite
from tramontane.weights.hub_reference import parse_hub_reference
from tramontane.weights.inventory import altered_files, remove, remove_leftovers, stored_models
from tramontane.weights.progress import Stage
from tramontane.weights.source import HubSource
from tramontane.weights.store import HubAccess, ModelStore

MODEL = "mistralai/Tiny-Instruct"
RANDOM = random.Random(5)
WEIGHTS = RANDOM.randbytes(400_000)
FILES = {
    "model.safetensors": WEIGHTS,
    "config.json": b'{"model_type": "mistral"}',
    "tekken.json": RANDOM.randbytes(60_000),
    "README.md": b"# Tiny",
    "empty.json": b"",
}
FETCHED = {"model.safetensors", "config.json", "tekken.json", "empty.json"}
SOURCE = HubSource(MODEL)


@pytest.fixture(autouse=True)
def own_hub_settings(monkeypatch):
    """The hub's library as on a fresh machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tramontane.weights.hub.get_token", lambda: None)
    monkeypatch.setattr(hub_fetch, "shared_cache", lambda: Path("/nowhere"))


@pytest.fixture
def hub():
    with hub_server() as server:
        server.repositories[MODEL] = Repository(
            dict(FILES), card={"license": "apache-2.0"}, parameters=200_000
        )
        yield server


@pytest.fixture
def cache_dir(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def updates():
    return []


@pytest.fixture
def store(hub, cache_dir, updates):
    return ModelStore(cache_dir, hub=HubAccess(hub.url), progress=updates.append)


@pytest.fixture
def impatient(monkeypatch):
    """Downloads that wait for nothing."""
    impatient = Downloader(timeout=1.0, sleep=lambda _: None)
    monkeypatch.setattr(download, "Downloader", lambda: impatient)


def assert_complete(folder, files=FILES, names=FETCHED):
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == names | {".manifest.json", ".stamp.json"}
    for name in names:
        assert (folder / name).read_bytes() == files[name]


def leftovers(cache_dir):
    return [path.name for path in (cache_dir / "models" / ".fetching").iterdir() if path.suffix != ".lock"]


def test_a_model_is_fetched_once_and_then_needs_no_network(store, hub, cache_dir, updates):
    assert not store.is_present(SOURCE)
    folder = store.fetch(SOURCE)
    assert_complete(folder)
    assert leftovers(cache_dir) == []
    assert folder == cache_dir / "models" / "hub" / "mistralai--Tiny-Instruct"

    hub.requests.clear()
    updates.clear()
    offline = ModelStore(cache_dir, hub=HubAccess(hub.url), offline=True, progress=updates.append)
    assert offline.fetch(SOURCE) == folder
    assert hub.requests == []
    assert updates == []


def test_the_manifest_says_what_was_fetched(store, hub):
    store.fetch(SOURCE)
    manifest = store.manifest(SOURCE)
    assert manifest.source == SOURCE
    assert (manifest.commit, manifest.license) == (hub.repositories[MODEL].commit, "apache-2.0")
    assert {file.target for file in manifest.files} == FETCHED
    assert manifest.size == sum(len(FILES[name]) for name in FETCHED)
    assert store.sha256(SOURCE) == manifest.sha256


def test_progress_counts_the_bytes_of_all_files(store, updates):
    store.fetch(SOURCE)
    stages = list(dict.fromkeys(update.stage for update in updates))
    assert stages[0] is Stage.DOWNLOADING
    assert stages[-1] is Stage.DONE
    total = sum(len(FILES[name]) for name in FETCHED)
    downloading = [update for update in updates if update.stage is Stage.DOWNLOADING]
    assert {update.bytes_total for update in downloading} == {total}
    assert {update.model for update in updates} == {MODEL}
    assert max(update.bytes_done for update in updates) == total


def test_one_gguf_file_is_fetched_of_many(store, hub):
    content = RANDOM.randbytes(50_000)
    hub.repositories["me/ggufs"] = Repository(
        {"m-Q8_0.gguf": WEIGHTS, "m-Q4_K_M.gguf": content, "LICENSE": b"MIT"}
    )
    source = parse_hub_reference("me/ggufs:Q4_K_M")
    path = store.fetch(source)
    assert (path.name, path.read_bytes()) == ("m-Q4_K_M.gguf", content)
    assert hub.fetched() == ["LICENSE", "m-Q4_K_M.gguf"]
    assert (
        store.sha256(source)
        == hub.repositories["me/ggufs"].sibling("m-Q4_K_M.gguf", content)["lfs"]["sha256"]
    )


def test_a_cut_download_is_resumed(store, hub, impatient):
    hub.cdn.faults.append(Cut(150_000))
    assert_complete(store.fetch(SOURCE))
    assert sum(request.bytes_sent for request in hub.file_requests()) == sum(
        len(FILES[name]) for name in FETCHED
    )


def test_a_stalled_download_is_resumed(store, hub, impatient):
    hub.cdn.faults.append(Stall(20_000))
    assert_complete(store.fetch(SOURCE))


def test_a_passing_failure_is_outlived(store, hub, impatient):
    hub.cdn.faults.extend([Status(503), Status(500)])
    assert_complete(store.fetch(SOURCE))


def test_altered_bytes_are_refused_and_never_loaded(store, hub, cache_dir, impatient):
    hub.repositories[MODEL] = Repository({"model.safetensors": WEIGHTS, "config.json": b"{}"})
    hub.repositories[MODEL].listed_sha256 = {"model.safetensors": "0" * 64}
    with pytest.raises(ModelStoreError, match=r"model\.safetensors does not have the content .* discarded"):
        store.fetch(SOURCE)
    assert not store.is_present(SOURCE)
    assert not (cache_dir / "models" / "hub").exists()
    assert not [
        path for path in (cache_dir / "models").rglob("*.part") if path.stat().st_size == len(WEIGHTS)
    ]


def test_an_altered_small_file_is_seen_by_its_git_hash(store, hub, impatient):
    hub.repositories[MODEL] = Repository({"model.safetensors": b"w" * 100, "config.json": b"{}"})
    hub.cdn.faults.append(Corrupt(1))
    with pytest.raises(ModelStoreError, match="does not have the content that the hub says it has"):
        store.fetch(SOURCE)
    assert not store.is_present(SOURCE)


def test_what_arrived_before_a_failure_is_not_fetched_again(store, hub, impatient):
    hub.repositories[MODEL] = Repository({"model.safetensors": WEIGHTS, "config.json": b"{}"})
    hub.cdn.faults.extend([Cut(300_000), *[Status(503)] * 12])
    with pytest.raises(
        ModelStoreError, match=r"Model mistralai/Tiny-Instruct cannot be fetched: .* are kept"
    ):
        store.fetch(SOURCE)
    hub.cdn.faults.clear()
    hub.cdn.requests.clear()
    store.fetch(SOURCE)
    sent = {request.path.rsplit("/", 1)[1]: request.bytes_sent for request in hub.file_requests()}
    assert sent["model.safetensors"] == len(WEIGHTS) - 300_000


def test_a_model_whose_branch_has_moved_stays_until_it_is_pulled(store, hub):
    store.fetch(SOURCE)
    hub.repositories[MODEL].files["config.json"] = b'{"model_type": "llama"}'
    hub.cdn.requests.clear()
    store.fetch(SOURCE)
    assert hub.file_requests() == []
    folder = store.pull(SOURCE)
    assert_complete(folder, hub.repositories[MODEL].files)
    assert store.manifest(SOURCE).commit == hub.repositories[MODEL].commit


def test_a_pull_fetches_only_what_has_changed(store, hub, cache_dir):
    store.fetch(SOURCE)
    hub.repositories[MODEL].files["tekken.json"] = bytes(60_000)
    hub.cdn.requests.clear()
    store.pull(SOURCE)
    assert "model.safetensors" not in hub.fetched()
    assert "tekken.json" in hub.fetched()
    assert leftovers(cache_dir) == []


def test_files_of_the_librarys_own_cache_are_taken_and_checked(store, hub, tmp_path, monkeypatch):
    blobs = tmp_path / "hf" / "models--mistralai--Tiny-Instruct" / "blobs"
    blobs.mkdir(parents=True)
    siblings = hub.repositories[MODEL].info(MODEL)["siblings"]
    hashes = {entry["rfilename"]: entry["lfs"]["sha256"] for entry in siblings if "lfs" in entry}
    (blobs / hashes["model.safetensors"]).write_bytes(WEIGHTS)
    (blobs / hashes["tekken.json"]).write_bytes(bytes(60_000))  # spoilt
    monkeypatch.setattr(hub_fetch, "shared_cache", lambda: tmp_path / "hf")
    assert_complete(store.fetch(SOURCE))
    assert hub.fetched() == ["config.json", "tekken.json"]
    assert (blobs / hashes["tekken.json"]).read_bytes() == bytes(60_000)


def test_a_revision_is_a_model_of_its_own(store, hub):
    commit = hub.repositories[MODEL].commit
    pinned = HubSource(MODEL, revision=commit)
    assert store.fetch(pinned) != store.folder(SOURCE)
    assert not store.is_present(SOURCE)
    with pytest.raises(ModelStoreError, match=r"it has no revision 'v9'\. .*/mistralai/Tiny-Instruct lists"):
        store.fetch(HubSource(MODEL, revision="v9"))


def test_the_token_goes_to_the_hub_and_not_to_the_host_of_the_files(hub, cache_dir):
    hub.repositories[MODEL].gated = True
    hub.tokens.add("hf_right")
    assert_complete(ModelStore(cache_dir, hub=HubAccess(hub.url, "hf_right")).fetch(SOURCE))
    assert all(request.headers["authorization"] == "Bearer hf_right" for request in hub.requests)
    assert not [request for request in hub.file_requests() if "authorization" in request.headers]
    assert "hf_right" not in repr(HubAccess(hub.url, "hf_right"))


def test_a_gated_model_without_a_token_says_what_to_do(store, hub):
    hub.repositories[MODEL].gated = True
    with pytest.raises(
        ModelStoreError,
        match=r"gated\. Accept its terms at .*/mistralai/Tiny-Instruct, make a token .*HF_TOKEN",
    ):
        store.fetch(SOURCE)
    assert hub.file_requests() == []


def test_a_gated_model_with_a_token_that_has_no_access_says_what_to_do(hub, cache_dir):
    hub.repositories[MODEL].gated = True
    hub.tokens.add("hf_no")
    hub.no_access.add("hf_no")
    with pytest.raises(
        ModelStoreError, match=r"account of your token has no access yet\. Accept its terms at"
    ):
        ModelStore(cache_dir, hub=HubAccess(hub.url, "hf_no")).fetch(SOURCE)


def test_an_unknown_token_is_told(hub, cache_dir):
    with pytest.raises(ModelStoreError, match="does not know the token: set HF_TOKEN"):
        ModelStore(cache_dir, hub=HubAccess(hub.url, "hf_wrong")).fetch(SOURCE)


def test_a_file_that_the_host_refuses_is_told(store, hub, impatient):
    hub.cdn.faults.extend([Status(403)] * 4)
    with pytest.raises(ModelStoreError, match=r"refuses the file: .* answered 403"):
        store.fetch(SOURCE)


@pytest.mark.parametrize("wrong", ["mistralai/Tiny-Instrct", "mistralai/tiny", "mistral/Tiny-Instruct"])
def test_a_name_that_is_nearly_right_is_corrected(store, wrong):
    with pytest.raises(ModelStoreError, match=r"no such repository; did you mean mistralai/Tiny-Instruct\?"):
        store.fetch(HubSource(wrong))


def test_a_name_like_no_other_is_only_refused(store):
    with pytest.raises(ModelStoreError, match=r"no such repository\. If it is private, set HF_TOKEN"):
        store.fetch(HubSource("nobody/qqq"))


@pytest.mark.parametrize(("status", "message"), [(500, "answered 500"), (429, "too many requests")])
def test_a_hub_that_fails_is_told(store, hub, status, message):
    hub.down = status
    with pytest.raises(ModelStoreError, match=message):
        store.fetch(SOURCE)


def test_a_hub_that_cannot_be_reached_is_told(hub, cache_dir):
    hub.close()
    hub.close = lambda: None
    with pytest.raises(ModelStoreError, match=r"cannot be reached .* mirror \(HF_ENDPOINT"):
        ModelStore(cache_dir, hub=HubAccess(hub.url)).fetch(SOURCE)


def test_offline_a_model_that_is_not_here_is_an_error(hub, cache_dir):
    store = ModelStore(cache_dir, hub=HubAccess(hub.url), offline=True)
    with pytest.raises(ModelStoreError, match=r"Model mistralai/Tiny-Instruct is not in .* fetched offline"):
        store.fetch(SOURCE)
    assert hub.requests == []


def test_what_the_approval_raises_ends_the_fetch_before_a_byte_is_fetched(hub, cache_dir):
    asked = []

    def refuse(listing, needed):
        asked.append(listing.license)
        raise ModelStoreError("not accepted")

    with pytest.raises(ModelStoreError, match="not accepted"):
        ModelStore(cache_dir, hub=HubAccess(hub.url, approve=refuse)).fetch(SOURCE)
    assert asked == ["apache-2.0"]
    assert hub.file_requests() == []


def test_a_full_disk_is_told_before_the_fetch(store, hub, monkeypatch):
    monkeypatch.setattr(FetchSite.__init__, "__defaults__", (None, lambda folder: 1_000_000))
    with pytest.raises(ModelStoreError, match=r"it needs 17 MB in .*, where 1 MB are free\. Make room"):
        store.fetch(SOURCE)
    assert hub.file_requests() == []


def test_a_disk_that_fills_up_on_the_way_is_told(hub, cache_dir):
    def fill_up(update):
        raise OSError(errno.ENOSPC, "No space left on device")

    store = ModelStore(cache_dir, hub=HubAccess(hub.url), progress=fill_up)
    with pytest.raises(ModelStoreError, match=r"the disk of .* is full\. Make room and start again"):
        store.fetch(SOURCE)


@pytest.mark.parametrize(
    "name", ["../escape.json", "/etc/escape.json", ".hidden.json", "a/../../escape.json"]
)
def test_a_hostile_listing_writes_nothing_outside_the_models_folder(store, hub, name):
    hub.repositories[MODEL].files[name] = b"{}"
    folder = store.fetch(SOURCE)
    assert_complete(folder)


def test_a_cut_file_is_noticed_and_only_it_is_fetched_again(store, hub):
    folder = store.fetch(SOURCE)
    (folder / "tekken.json").write_bytes(FILES["tekken.json"][:-1])
    assert not store.is_present(SOURCE)
    hub.cdn.requests.clear()
    assert_complete(store.fetch(SOURCE))
    assert "model.safetensors" not in hub.fetched()


def test_altered_files_are_found_though_size_and_time_are_the_same(store, cache_dir):
    folder = store.fetch(SOURCE)
    path = folder / "model.safetensors"
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(bytes([WEIGHTS[0] ^ 1]) + WEIGHTS[1:])
    os.utime(path, ns=times)
    assert store.is_present(SOURCE)
    [model] = stored_models(cache_dir)
    assert altered_files(model.folder, model.manifest.files) == ["model.safetensors"]
    assert not store.is_present(SOURCE)
    assert_complete(store.fetch(SOURCE))
    assert altered_files(model.folder, store.manifest(SOURCE).files) == []


def test_stored_models_are_listed_and_removed(store, cache_dir):
    assert stored_models(cache_dir) == []
    folder = store.fetch(SOURCE)
    [model] = stored_models(cache_dir)
    assert (model.folder, model.place, model.manifest.source) == (folder, folder, SOURCE)
    assert remove(model.folder) > model.manifest.size
    assert stored_models(cache_dir) == []


def test_leftovers_are_removed_and_their_bytes_told(store, hub, cache_dir, impatient):
    assert remove_leftovers(cache_dir) == 0
    hub.repositories[MODEL] = Repository({"model.safetensors": WEIGHTS, "config.json": b"{}"})
    hub.cdn.faults.extend([Cut(300_000), *[Status(503)] * 12])
    with pytest.raises(ModelStoreError):
        store.fetch(SOURCE)
    assert remove_leftovers(cache_dir) >= 300_000
    assert leftovers(cache_dir) == []


FETCH = """
import sys
from pathlib import Path
from tramontane.weights import download, hub_fetch
from tramontane.weights.source import HubSource
from tramontane.weights.store import HubAccess, ModelStore

hub_fetch.shared_cache = lambda: Path("/nowhere")
say = lambda update: print(update.stage.value, update.bytes_done, flush=True)
ModelStore(Path(sys.argv[1]), hub=HubAccess(sys.argv[2], "hf_t"), progress=say).fetch(
    HubSource("mistralai/Tiny-Instruct")
)
"""


@pytest.fixture
def fetching_process(hub, cache_dir):
    hub.tokens.add("hf_t")
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", FETCH, str(cache_dir), hub.url], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def read_until(process, said):
    while line := process.stdout.readline():
        if said(line):
            return
    raise AssertionError("the process ended without saying it")


@pytest.mark.process
def test_two_processes_fetch_a_model_once(hub, cache_dir, fetching_process):
    processes = [fetching_process(), fetching_process()]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert hub.fetched() == ["config.json", "model.safetensors", "tekken.json"]
    assert_complete(cache_dir / "models" / "hub" / "mistralai--Tiny-Instruct")


@pytest.mark.process
def test_a_killed_process_leaves_what_arrived(hub, cache_dir, fetching_process):
    hub.repositories[MODEL] = Repository({"model.safetensors": WEIGHTS, "config.json": b"{}"})
    hub.cdn.faults.append(Stall(300_000))
    process = fetching_process()
    read_until(process, lambda line: line.startswith("downloading") and int(line.split()[1]) >= 300_000)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    assert not (cache_dir / "models" / "hub").exists()
    hub.cdn.released.set()
    hub.cdn.requests.clear()
    assert fetching_process().wait(60) == 0
    sent = sum(
        request.bytes_sent for request in hub.file_requests() if request.path.endswith("model.safetensors")
    )
    assert sent <= len(WEIGHTS) - 299_000


@pytest.mark.process
def test_ctrl_c_ends_a_stalled_fetch(hub, cache_dir, fetching_process):
    hub.repositories[MODEL] = Repository({"model.safetensors": WEIGHTS, "config.json": b"{}"})
    hub.cdn.faults.append(Stall(100_000))
    process = fetching_process()
    read_until(process, lambda line: line.startswith("downloading") and int(line.split()[1]) >= 100_000)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    assert process.poll() not in (None, 0)
    assert not (cache_dir / "models" / "hub").exists()
