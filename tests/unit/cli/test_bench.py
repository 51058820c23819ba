import os
import subprocess
import sys

import pytest

from tramontane.cli.verdict import READING, Streams, verdict


def streams(*each):
    return [Streams(count, rate * count) for count, rate in zip((1, 4, 16), each, strict=True)]


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ((70, 30, 8), "10.0 times as fast as people read; 16 at once are each still faster"),
        ((70, 30, 6), "; 4 at once are each still faster"),
        ((READING, 2, 1), "An answer is written 1.0 times as fast as people read."),
        ((3, 2, 1), "3.0 tokens/s, slower than people read (7): a smaller model"),
    ],
)
def test_the_speed_is_told_by_what_people_read(each, said):
    assert said in verdict(0.1, 1000, streams(*each))[0]


@pytest.mark.parametrize(
    ("first_token", "said"), [(0.1, "at once"), (1.0, "after a moment"), (5.0, "too large for this machine")]
)
def test_the_wait_is_told_by_how_it_feels(first_token, said):
    assert said in verdict(first_token, 1000, streams(9, 9, 9))[1]


def test_a_page_is_told_in_seconds():
    assert "costs 3.5 s" in verdict(0.1, 200, streams(9, 9, 9))[2]


@pytest.mark.process
def test_a_machine_is_measured_with_every_figure_and_a_verdict(tmp_path):
    environment = os.environ | {
        "TRAMONTANE_DATA_DIR": str(tmp_path / "data"),
        "TRAMONTANE_API_KEY": "operators",
    }
    result = subprocess.run(
        [sys.executable, "-m", "tramontane", "bench", "--engine", "fake"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    for name in ("Start, until", "First token", "Reading a prompt", "16 answers at once", "Embeddings, 64"):
        assert name in result.stdout
    assert "times as fast as people read" in result.stdout
    assert not (tmp_path / "data").exists()
