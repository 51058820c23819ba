"""What the library gets wrong, and the host in the worker makes good; here in the tests' process."""

import itertools
from dataclasses import replace

import pytest

from tramontane.core.events import FinishReason
from tramontane.core.sampling import SamplingParams
from tramontane.engines.openvino import generation
from tramontane.engines.openvino.generation import GenerationHost
from tramontane.engines.openvino.messages import LoadGeneration
from tramontane.engines.worker.messages import Abort, Failed, Generate, Step

pytestmark = pytest.mark.engine

GREEDY = SamplingParams(max_tokens=6, temperature=0)


@pytest.fixture
def host(tiny_llama):
    return GenerationHost(LoadGeneration(str(tiny_llama.path), kv_blocks=16, threads=0))


def run(host, steps=10**6):
    """Token ids and ending (a finish reason, or why it failed) of each request."""
    answers, endings = {}, {}
    while host.busy and steps:
        steps -= 1
        for message in host.step():
            match message:
                case Step(tokens):
                    for one in tokens:
                        answers.setdefault(one.id, []).extend(one.token_ids)
                        if one.finish_reason:
                            endings[one.id] = one.finish_reason
                case Failed(id, reason):
                    endings[id] = reason
    return answers, endings


def break_the_next_step(host):
    """The library breaks down when two requests have one id."""
    host._library_ids = itertools.repeat(10**6)
    host.apply(Generate(1000, [5, 6, 7], GREEDY))
    host.apply(Generate(1001, [5, 6, 7], GREEDY))
    host._library_ids = itertools.count(10**6 + 1)


def test_a_step_that_fails_fails_the_answers_that_are_under_way(host, caplog):
    host.apply(Generate(0, [5, 6, 7], GREEDY))
    run(host, steps=2)
    break_the_next_step(host)

    _, endings = run(host)

    assert endings == {0: "engine", 1000: "engine", 1001: "engine"}
    assert "A step of the pipeline failed" in caplog.text


def test_answers_that_have_not_begun_survive_a_step_that_fails(host):
    long = [(11 + 7 * i) % 250 for i in range(300)]
    host.apply(Generate(0, long, GREEDY))
    expected = run(host)[0][0]
    break_the_next_step(host)
    host.apply(Generate(1, [*long[::-1], 9], GREEDY))

    answers, endings = run(host)
    host.apply(Generate(2, long, GREEDY))
    later, _ = run(host)

    assert (len(answers[1]), endings[1]) == (6, FinishReason.LENGTH)
    assert later[2] == expected


def test_a_request_that_the_library_ignores_fails_and_the_others_are_served(host):
    host.apply(Generate(0, [3] * 2000, GREEDY))
    host.apply(Generate(1, [5, 6, 7], GREEDY))

    answers, endings = run(host)

    assert endings == {0: "engine", 1: FinishReason.LENGTH}
    assert len(answers[1]) == 6


def test_what_the_library_refuses_fails_as_invalid(host):
    host.apply(Generate(0, [5], SamplingParams(max_tokens=5, presence_penalty=9)))

    assert run(host) == ({}, {0: "invalid"})


def test_an_abort_frees_the_pipeline_within_a_step(host):
    host.apply(Generate(0, [5, 6, 7], SamplingParams(max_tokens=400, temperature=0)))
    run(host, steps=3)

    host.apply(Abort(0))
    host.apply(Abort(0))

    host.step()
    assert not host.busy


@pytest.mark.parametrize("length", [63, 64, 65, 66])
def test_an_answer_is_the_same_from_a_cold_and_from_a_warm_cache(tiny_llama, host, length):
    prompt = [(11 + 7 * i) % 250 for i in range(length)]
    params = SamplingParams(max_tokens=40, temperature=1.0, seed=3)
    hosts = [host] * 3 + [GenerationHost(LoadGeneration(str(tiny_llama.path), kv_blocks=16, threads=0))]
    answers = []
    for each in hosts:
        each.apply(Generate(0, prompt, params))
        answers.append(run(each)[0][0])

    assert answers[1:] == answers[:-1]


def constrained(number, grammar):
    return Generate(number, [5, 6, 7], replace(GREEDY, grammar=grammar, stop_token_ids=frozenset({0, 2})))


def test_a_step_that_fails_does_not_lose_what_waits_for_its_grammar(host):
    host.apply(constrained(0, 'root ::= "abc"'))
    break_the_next_step(host)

    answers, endings = run(host)

    assert answers[0] == [67, 68, 69]
    assert endings[0] == FinishReason.STOP


def test_an_abort_ends_the_wait_for_a_grammar(host):
    host.apply(constrained(0, 'root ::= "abc"'))
    host.apply(Abort(0))

    assert not host.busy


def test_a_library_that_remembers_too_many_grammars_is_loaded_anew_when_idle(host, monkeypatch):
    monkeypatch.setattr(generation, "_GRAMMARS_KEPT", 20_000)
    pipeline = host._pipeline
    for number in range(3):
        host.apply(constrained(number, f'root ::= "number {number}"'))
    host.apply(Generate(3, [5, 6, 7], GREEDY))

    _, endings = run(host)

    assert set(endings) == {0, 1, 2, 3}
    assert host._pipeline is not pipeline
    assert not host._grammars.knows('root ::= "number 0"')
    host.apply(constrained(4, 'root ::= "abc"'))
    assert run(host)[0][4] == [67, 68, 69]


def test_new_requests_wait_when_the_library_remembers_far_too_many_grammars(host, monkeypatch):
    monkeypatch.setattr(generation, "_GRAMMARS_KEPT", 10)
    monkeypatch.setattr(generation, "_MOST_GRAMMARS", 12)
    host.apply(Generate(0, [5, 6, 7], SamplingParams(max_tokens=200, temperature=0)))
    run(host, steps=2)
    host.apply(constrained(1, 'root ::= "abc"'))
    host._grammars._reading.outcome.result()
    run(host, steps=1)
    for number in (2, 3):
        host.apply(Generate(number, [5, 6, 7], GREEDY))
    host.apply(Abort(3))
    run(host, steps=5)
    waiting = set(host._waiting)

    answers, endings = run(host)

    assert waiting == {2}
    assert len(answers[2]) == 6
    assert 3 not in endings
