from hypothesis import given
from hypothesis import strategies as st

from tramontane.engines.openvino.prefix_estimate import PrefixEstimate

PROMPT = list(range(100))


def test_nothing_is_cached_at_first():
    assert PrefixEstimate(10).count_cached(PROMPT) == 0


def test_whole_blocks_of_the_longest_common_prefix_are_cached():
    estimate = PrefixEstimate(10)
    estimate.add(PROMPT)

    assert estimate.count_cached(PROMPT) == 96
    assert estimate.count_cached([*PROMPT[:70], *PROMPT]) == 64
    assert estimate.count_cached(PROMPT[:31]) == 0


def test_a_block_after_another_prefix_is_another_block():
    estimate = PrefixEstimate(10)
    estimate.add(PROMPT)

    assert estimate.count_cached(PROMPT[32:]) == 0
    assert estimate.count_cached([7, *PROMPT[1:]]) == 0


def test_the_last_token_is_always_computed():
    estimate = PrefixEstimate(10)
    estimate.add(PROMPT[:64])

    assert estimate.count_cached(PROMPT[:64]) == 63


def test_what_was_used_longest_ago_is_forgotten_first():
    estimate = PrefixEstimate(3)
    first, second, third = ([number] * 40 for number in range(3))
    for prompt in (first, second, third):
        estimate.add(prompt)
    estimate.count_cached(first)

    estimate.add([9] * 40)

    assert [estimate.count_cached(prompt) for prompt in (first, second, third)] == [32, 0, 32]


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=200), min_size=1, max_size=20))
def test_the_estimate_is_the_longest_common_prefix_with_what_was_added(prompts):
    estimate = PrefixEstimate(10**6)
    for number, prompt in enumerate(prompts):
        common = max((_common(prompt, earlier) for earlier in prompts[:number]), default=0)

        assert estimate.count_cached(prompt) == min(common // 32 * 32, len(prompt) - 1)

        estimate.add(prompt)


def _common(left, right):
    return next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
