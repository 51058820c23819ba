import pytest

from tramontane.cli.sse import event_data

STREAM = (
    'data: {"a":"ü\u2028\x0b"}\r\n\r\n: comment\nevent: x\ndata:two\n\n\n\ndata: a\ndata: b\n\ndata: [DONE]'
).encode()
EVENTS = ['{"a":"ü\u2028\x0b"}', "two", "a\nb", "[DONE]"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_the_bytes_are_cut(size):
    cut = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]

    assert list(event_data(cut)) == EVENTS


def test_nothing_comes_of_nothing():
    assert list(event_data([])) == []
    assert list(event_data([b"", b"\n\n\n", b": only a comment\n\n"])) == []
