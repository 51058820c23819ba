from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tramontane.engines.openvino.embedding_batches import (
    BATCH_TOKENS,
    SPARE_TOKENS,
    EmbeddingBatches,
    padded_width,
)

LONGEST = 8192


def drained(batches):
    taken = []
    while batches:
        taken.append(batches.take())
    return taken


def served(batches, request_id):
    """How many batches there are until that request has had its last."""
    count = 0
    last = 0
    while batches:
        count += 1
        if any(row[0] == request_id for row in batches.take().rows):
            last = count
    return last


@given(
    st.lists(st.lists(st.integers(1, LONGEST), min_size=1, max_size=20), min_size=1, max_size=8), st.data()
)
def test_every_input_is_in_one_batch_that_is_wide_enough_and_not_too_large(requests, data):
    batches = EmbeddingBatches(LONGEST)
    expected = Counter()
    found = Counter()
    for request_id, lengths in enumerate(requests):
        batches.add(request_id, lengths)
        expected.update((request_id, place) for place in range(len(lengths)))
        for _ in range(data.draw(st.integers(0, 2))):
            if batches:
                batch = batches.take()
                found.update(batch.rows)
    for batch in drained(batches):
        found.update(batch.rows)
        widths = [padded_width(requests[request_id][place], LONGEST) for request_id, place in batch.rows]
        assert len(batch.rows) == 1 or batch.width * len(batch.rows) <= BATCH_TOKENS
        assert max(widths) == batch.width
        assert sum(batch.width - width for width in widths) <= SPARE_TOKENS

    assert found == expected


@given(st.integers(1, LONGEST), st.integers(1, LONGEST))
def test_a_width_holds_its_input_within_the_longest(length, longest):
    length = min(length, longest)
    width = padded_width(length, longest)

    assert length <= width <= longest
    assert width - length < max(8, length / 8)


def test_there_are_few_widths():
    assert len({padded_width(length, LONGEST) for length in range(1, LONGEST + 1)}) < 100


def test_inputs_of_one_length_fill_batches_across_requests():
    batches = EmbeddingBatches(LONGEST)
    for request_id in range(32):
        batches.add(request_id, [16])

    (batch,) = drained(batches)

    assert (batch.width, len(batch.rows)) == (16, 32)


def test_a_batch_takes_narrower_inputs_while_their_padding_is_spare():
    batches = EmbeddingBatches(LONGEST)
    batches.add(1, [64, 56, 56, 56, 56, 56])

    assert [len(batch.rows) for batch in drained(batches)] == [5, 1]


def test_a_short_request_comes_before_the_rest_of_long_ones():
    batches = EmbeddingBatches(LONGEST)
    for request_id in range(10):
        batches.add(request_id, [250] * 512)
    for _ in range(7):
        batches.take()

    batches.add(99, [5])

    assert batches.take().rows == [(99, 0)]


def test_long_requests_are_not_starved_by_short_ones():
    batches = EmbeddingBatches(LONGEST)
    batches.add(0, [512])
    short = 1
    while True:
        batches.add(short, [8] * 8)
        short += 1
        if batches.take().rows[0][0] == 0:
            break

    assert short < 3 * BATCH_TOKENS / 64


def test_requests_of_one_size_share_alike():
    batches = EmbeddingBatches(LONGEST)
    batches.add(0, [512] * 40)
    batches.add(1, [512] * 40)
    shares = Counter(batches.take().rows[0][0] for _ in range(40))

    assert shares == {0: 20, 1: 20}


def test_who_came_along_with_others_has_had_it():
    batches = EmbeddingBatches(LONGEST)
    batches.add(0, [256] * 100)
    batches.add(1, [256] * 3 + [512] * 10)

    shares = Counter(request_id for _ in range(10) for request_id, _ in batches.take().rows)

    assert abs(shares[0] * 256 - sum_of(shares[1])) <= 2 * BATCH_TOKENS


def sum_of(count):
    """Tokens of the second request's first inputs: widest first."""
    return min(count, 10) * 512 + max(0, count - 10) * 256


def test_a_request_that_nobody_waits_for_is_gone():
    batches = EmbeddingBatches(LONGEST)
    batches.add(0, [100] * 100)
    batches.add(1, [100])
    batches.take()
    batches.discard(0)
    batches.discard(0)

    assert {request_id for batch in drained(batches) for request_id, _ in batch.rows} <= {1}


@pytest.mark.parametrize("length", [513, 5000])
def test_an_input_that_is_larger_than_a_batch_is_one(length):
    batches = EmbeddingBatches(LONGEST)
    batches.add(0, [length, length])

    assert [len(batch.rows) for batch in drained(batches)] == [1, 1]
