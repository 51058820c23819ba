import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tramontane.engines.upstream import sse
from tramontane.engines.upstream.sse import EventReader

STREAM = (
    b'data: {"a": 1}\n\n'
    b": a comment, by which servers keep connections open\n\n"
    b"event: message\ndata:no blank\nid: 7\n\n"
    b"data: of two\ndata: lines\n\n"
    b'error: {"code": 500}\n\n'
    b"retry: 10\n\n"
    b"data: \xe2\x80\xa8 is no line break\n\n"
    b"data: [DONE]\n\n"
)
EVENTS = [
    b'{"a": 1}',
    b"no blank",
    b"of two\nlines",
    b'{"code": 500}',
    "\u2028 is no line break".encode(),
    b"[DONE]",
]


def read(pieces):
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)] + list(reader.end())


@given(st.sets(st.integers(0, len(STREAM))), st.booleans())
def test_events_are_the_same_however_the_bytes_are_cut(cuts, is_crlf):
    stream = STREAM.replace(b"\n", b"\r\n") if is_crlf else STREAM
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(places)]

    assert read(pieces) == EVENTS


def test_what_is_left_at_the_end_counts():
    assert read([b"data: 1\n\ndata: 2"]) == [b"1", b"2"]


def test_an_event_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)

    with pytest.raises(ValueError, match="longer than 100 bytes"):
        read([b"data: " + b"a" * 60, b"b" * 60])
