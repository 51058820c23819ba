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


def prompt_of(length, seed=0):
    return [(11 + seed + 7 * i + i * i % (5 + seed)) % 250 for i in range(length)]


def first_steps(host, commands):
    """The step in which each request, given before some step, has its first token, counted from then on."""
    given, first = {}, {}
    commands = list(commands)
    step = 0
    while commands or host.busy:
        while commands and commands[0][0] == step:
            command = commands.pop(0)[1]
            given[command.id] = step
            host.apply(command)
        step += 1
        for message in host.step():
            for one in message.tokens:
                first.setdefault(one.id, step - given[one.id])
    return first


@pytest.fixture
def roomy_host(tiny_llama):
    return GenerationHost(LoadGeneration(str(tiny_llama.path), kv_blocks=256, threads=0))


def test_a_short_prompt_does_not_wait_for_a_long_one_before_it(roomy_host):
    first = first_steps(
        roomy_host,
        [
            (0, Generate(0, prompt_of(3000), GREEDY)),
            (2, Generate(1, prompt_of(20, seed=1), GREEDY)),
            (3, Generate(2, prompt_of(500, seed=2), GREEDY)),
        ],
    )

    assert first[1] == 1
    assert first[2] <= 6
    assert first[0] > 12


def test_a_long_prompt_alone_takes_no_more_steps_than_its_tokens_need(roomy_host):
    assert first_steps(roomy_host, [(0, Generate(0, prompt_of(2550), GREEDY))])[0] == 10


def test_a_long_prompt_has_the_answer_that_it_has_from_the_cache(roomy_host):
    params = replace(GREEDY, max_tokens=30)
    roomy_host.apply(Generate(0, prompt_of(1500), params))
    roomy_host.apply(Generate(1, prompt_of(1300, seed=1), params))
    pieces, _ = run(roomy_host)
    roomy_host.apply(Generate(2, prompt_of(1500), params))
    cached, _ = run(roomy_host)

    assert cached[2] == pieces[0]


def test_long_prompts_with_one_beginning_compute_it_once(roomy_host):
    beginning = prompt_of(1024)
    commands = [Generate(i, beginning + prompt_of(40, seed=i + 1), GREEDY) for i in range(5)]

    first = first_steps(roomy_host, [(0, command) for command in commands])

    assert max(first.values()) <= 8


def test_long_prompts_and_answers_go_on_side_by_side(roomy_host):
    """A step has room for 256 tokens, however they come."""
    params = replace(GREEDY, max_tokens=60)
    for number in range(4):
        roomy_host.apply(Generate(number, prompt_of(5, seed=number), params))
        roomy_host.apply(Generate(10 + number, prompt_of(600 + number, seed=number), params))

    answers, endings = run(roomy_host)

    assert {number: len(ids) for number, ids in answers.items()} == dict.fromkeys(endings, 60)
    assert len(endings) == 8


def test_a_long_prompt_that_nobody_waits_for_is_left_between_its_pieces(roomy_host):
    roomy_host.apply(Generate(0, prompt_of(3000), GREEDY))
    roomy_host.apply(Generate(1, prompt_of(2000, seed=1), GREEDY))
    run(roomy_host, steps=3)
    roomy_host.apply(Abort(0))
    roomy_host.apply(Abort(1))
    run(roomy_host, steps=2)

    assert not roomy_host.busy


def test_a_step_that_fails_under_a_piece_loses_no_long_prompt(roomy_host):
    roomy_host.apply(Generate(0, prompt_of(1500), GREEDY))
    run(roomy_host, steps=2)
    break_the_next_step(roomy_host)

    answers, endings = run(roomy_host)

    assert (len(answers[0]), endings[0]) == (6, FinishReason.LENGTH)


def test_long_prompts_that_do_not_fit_together_do_not_push_one_another_out(tiny_llama):
    """In turn they would: the cache forgets what it used last, which is the beginning of the next one."""
    host = GenerationHost(LoadGeneration(str(tiny_llama.path), kv_blocks=80, threads=0))
    commands = [Generate(number, prompt_of(2000, seed=number), GREEDY) for number in range(5)]

    first = first_steps(host, [(0, command) for command in commands])

    assert max(first.values()) <= 60  # 5 prompts of 8 steps, and the answers between them
