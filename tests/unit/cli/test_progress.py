import io

import pytest

from tramontane.cli.progress import PlainProgress, preparation_progress
from tramontane.weights.progress import FetchProgress, Stage

MB = 1_000_000


class FakeTerminal(io.StringIO):
    def isatty(self):
        return True


def downloading(done, resumed_from=0):
    return FetchProgress("tiny", Stage.DOWNLOADING, done * MB, 200 * MB, resumed_from * MB)


def test_without_a_terminal_there_is_a_line_for_each_stage_and_each_tenth():
    stream, time = io.StringIO(), iter(range(1000))
    progress = PlainProgress(stream, clock=lambda: next(time) / 100)
    progress.fetching(FetchProgress("tiny", Stage.LOCATING))
    progress.fetching(FetchProgress("tiny", Stage.LOCATING))
    for done in range(201):
        progress.fetching(downloading(done))
    for stage in (Stage.CHECKING, Stage.UNPACKING, Stage.DONE):
        progress.fetching(FetchProgress("tiny", stage))
    progress.converting("tiny")

    lines = stream.getvalue().splitlines()
    assert lines[0] == "Looking up tiny"
    assert [line.split(":")[1].split(" of ")[0] for line in lines[1:12]] == [
        f" {n} %" for n in range(0, 101, 10)
    ]
    assert lines[12:] == [
        "Checking tiny",
        "Unpacking tiny",
        "Fetched tiny",
        "Converting tiny for this machine (once)",
    ]


def test_speed_and_time_left_are_of_this_download_only():
    stream, times = io.StringIO(), iter([0.0, 0.0, 2.0])
    progress = PlainProgress(stream, clock=lambda: next(times))
    progress.fetching(downloading(100, resumed_from=100))
    progress.fetching(downloading(120, resumed_from=100))

    assert stream.getvalue().splitlines() == [
        "Fetching tiny: 50 % of 200.0 MB, resumed at 100.0 MB",
        "Fetching tiny: 60 % of 200.0 MB, 10.0 MB/s, 8 s left",
    ]


def test_a_download_of_unknown_size_says_only_what_is_known():
    stream = io.StringIO()
    PlainProgress(stream).fetching(FetchProgress("tiny", Stage.DOWNLOADING, 5, 0))

    assert stream.getvalue() == "Fetching tiny\n"


@pytest.mark.parametrize("stream", [io.StringIO(), FakeTerminal()])
def test_nothing_is_shown_while_there_is_nothing_to_do(stream):
    with preparation_progress(stream):
        pass

    assert stream.getvalue() == ""


def test_a_terminal_gets_bars_with_bytes_and_the_last_state_stays(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = FakeTerminal()
    with preparation_progress(stream) as progress:
        progress.fetching(FetchProgress("tiny", Stage.LOCATING))
        progress.fetching(downloading(50, resumed_from=50))
        progress.fetching(downloading(200, resumed_from=50))
        progress.fetching(FetchProgress("tiny", Stage.DONE))
        progress.fetching(FetchProgress("other", Stage.WAITING))
        progress.converting("tiny")

    end = stream.getvalue().rsplit("\x1b[2K", 3)[-3:]
    end = "".join(end)
    assert "Fetched tiny" in end
    assert "Waiting for another process that fetches other" in end
    assert "Converting tiny for this machine (once)" in end


def test_a_name_with_markup_is_shown_as_it_is(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = FakeTerminal()
    with preparation_progress(stream) as progress:
        progress.converting("[red]weights[/red].gguf")

    assert "[red]weights[/red].gguf" in stream.getvalue()
