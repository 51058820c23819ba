"""The library is asked for exactly what `SamplingParams` says."""

import pytest

from tramontane.core.sampling import SamplingParams
from tramontane.engines.openvino.sampling import generation_config


def config(**params):
    return generation_config(SamplingParams(**({"max_tokens": 10} | params)))


def test_every_field_is_passed_on():
    passed = config(
        min_tokens=3,
        temperature=0.5,
        top_p=0.25,
        top_k=7,
        presence_penalty=1.5,
        frequency_penalty=-1.5,
        repetition_penalty=1.25,
        seed=2**64 - 1,
        stop_token_ids=frozenset({5, 3}),
    )

    assert passed.do_sample
    assert (passed.max_new_tokens, passed.min_new_tokens) == (10, 3)
    assert (passed.temperature, passed.top_p, passed.top_k) == (0.5, 0.25, 7)
    assert (passed.presence_penalty, passed.frequency_penalty, passed.repetition_penalty) == (1.5, -1.5, 1.25)
    assert passed.rng_seed == 2**64 - 1
    assert passed.stop_token_ids == {3, 5}
    assert not passed.ignore_eos
    passed.validate()


@pytest.mark.parametrize("temperature", [0, 1e-9])
def test_no_temperature_is_greedy(temperature):
    assert not config(temperature=temperature).do_sample


def test_without_a_seed_each_request_draws_its_own():
    assert len({config().rng_seed for _ in range(10)}) == 10


def test_without_stop_tokens_only_the_length_ends_an_answer():
    without = config()
    without.validate()

    assert without.ignore_eos


def test_more_min_tokens_than_max_tokens_are_max_tokens():
    assert config(min_tokens=99).min_new_tokens == 10
