import threading

import pytest

from tramontane.engines.openvino.grammar_queue import LONGEST_READING, LONGEST_WAIT, GrammarQueue, Verdict
from tramontane.engines.worker.messages import Failed


class Reader:
    """Reads a grammar when it is told to; "wrong …" cannot be read."""

    def __init__(self):
        self.read = []
        self.permits = threading.Semaphore(0)

    def __call__(self, grammar):
        self.read.append(grammar)
        self.permits.acquire()
        return "so wrong" if grammar.startswith("wrong") else None


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def reader():
    reader = Reader()
    yield reader
    reader.permits.release(100)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(reader, clock):
    return GrammarQueue(reader, clock=clock)


def collect(queue, reader):
    """Let one grammar be read."""
    reader.permits.release()
    return queue.collect(timeout=60)


def test_a_request_waits_until_its_grammar_is_read_and_it_is_known_then(queue, reader):
    queue.add(1, "a")
    assert queue.busy
    assert not queue.knows("a")
    assert queue.collect(timeout=0) == []

    assert collect(queue, reader) == [Verdict(1)]

    assert queue.knows("a")
    assert not queue.busy
    assert not queue.reading
    assert queue.remembered > 0


def test_a_grammar_that_is_wrong_fails_its_requests_and_no_others(queue, reader):
    queue.add(1, "wrong")
    queue.add(2, "right")
    queue.add(3, "wrong")

    first = collect(queue, reader)
    second = collect(queue, reader)

    message = "The grammar of the output format is wrong: so wrong"
    assert first == [Verdict(i, Failed(i, "invalid", message)) for i in (1, 3)]
    assert second == [Verdict(2)]
    assert not queue.knows("wrong")


def test_requests_with_one_grammar_share_its_reading(queue, reader):
    for i in range(3):
        queue.add(i, "a")

    assert collect(queue, reader) == [Verdict(i) for i in range(3)]
    assert reader.read == ["a"]


def test_grammars_are_read_one_at_a_time_and_in_order(queue, reader):
    for i, grammar in enumerate("abc"):
        queue.add(i, grammar)

    assert [collect(queue, reader) for _ in range(3)] == [[Verdict(i)] for i in range(3)]
    assert reader.read == ["a", "b", "c"]


def test_what_nobody_waits_for_any_more_is_not_read(queue, reader):
    for i, grammar in enumerate("abc"):
        queue.add(i, grammar)
    queue.discard(0)
    queue.discard(1)
    queue.discard(1)

    assert collect(queue, reader) == []
    assert queue.knows("a")
    assert collect(queue, reader) == [Verdict(2)]
    assert reader.read == ["a", "c"]


def test_a_reading_that_takes_too_long_fails_its_request_and_goes_on(queue, reader, clock):
    queue.add(1, "a")
    clock.now = LONGEST_READING + 1

    assert queue.collect(timeout=0) == [Verdict(1, Failed(1, "invalid", "The output format is too complex"))]
    assert queue.reading

    queue.add(2, "a")
    assert [verdict.id for verdict in queue.collect(timeout=0)] == [2]
    queue.add(3, "b")
    assert collect(queue, reader) == []
    assert queue.knows("a")
    assert collect(queue, reader) == [Verdict(3)]


def test_those_behind_a_reading_that_takes_too_long_wait_longer_and_are_told_to_come_back(
    queue, reader, clock
):
    queue.add(1, "a")
    queue.add(2, "b")
    clock.now = LONGEST_READING + 1
    assert [verdict.id for verdict in queue.collect(timeout=0)] == [1]

    clock.now = LONGEST_WAIT + 1

    (verdict,) = queue.collect(timeout=0)
    assert (verdict.id, verdict.failed.reason) == (2, "busy")
    assert not queue.busy


def test_the_time_that_a_grammar_waited_is_not_part_of_its_reading(queue, reader, clock):
    queue.add(1, "a")
    queue.add(2, "b")
    clock.now = LONGEST_READING - 1
    assert collect(queue, reader) == [Verdict(1)]

    clock.now = 2 * LONGEST_READING - 2

    assert queue.collect(timeout=0) == []
    assert collect(queue, reader) == [Verdict(2)]


def test_what_takes_long_to_read_counts_as_large(queue, reader, clock):
    queue.add(1, "a")
    collect(queue, reader)
    quick = queue.remembered
    queue.add(2, "b")
    clock.now = 5

    collect(queue, reader)

    assert queue.remembered > 1000 * quick
