"""What every engine does: the long form of `tramontane.engines.protocol`.

A module of an adapter gives a `harness` fixture and derives `Test…` classes from the suites below.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
import pytest

from tramontane.core.events import FinishReason
from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.core.vocabulary import Vocabulary
from tramontane.engines.protocol import EmbeddingEngine, EngineDelta, GenerationEngine
from tramontane.errors import (
    ContextLengthError,
    EngineUnavailableError,
    InvalidRequestError,
)


@dataclass(frozen=True)
class GenerationHarness:
    """An adapter under test. Greedy answers must not end by themselves before 200 tokens."""

    create: Callable[[], GenerationEngine]
    prompt: Callable[[int], list[int]]
    """A prompt of so many tokens; longer ones begin with shorter ones."""
    is_idle: Callable[[GenerationEngine], Awaitable[bool]]
    samples: bool
    """Tokens are chosen by their probabilities."""
    cached_block: int | None
    """Tokens in a block of the prefix cache, if there is one."""
    cache_tokens: int | None
    """Room for all requests together, if it is bounded."""
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Answer:
    deltas: Sequence[EngineDelta]

    @property
    def token_ids(self) -> list[int]:
        return [token for delta in self.deltas for token in delta.token_ids]

    @property
    def finish_reason(self) -> FinishReason | None:
        return self.deltas[-1].finish_reason


async def complete(engine: GenerationEngine, token_ids: Sequence[int], **params) -> Answer:
    params = SamplingParams(**({"max_tokens": 12, "temperature": 0} | params))
    async with aclosing(engine.generate(TokensPrompt(token_ids), params)) as deltas:
        return Answer([delta async for delta in deltas])


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    for _ in range(int(seconds * 100)):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


async def drain(deltas: AsyncGenerator[EngineDelta]) -> None:
    async for _ in deltas:
        pass


@pytest.mark.anyio
class GenerationConformance:
    """The suite of engines that continue prompts."""

    @pytest.mark.parametrize("max_tokens", [1, 2, 7, 40])
    async def test_an_answer_has_max_tokens_and_then_ends_for_its_length(self, engine, harness, max_tokens):
        answer = await complete(engine, harness.prompt(5), max_tokens=max_tokens)

        assert len(answer.token_ids) == max_tokens
        assert answer.finish_reason == FinishReason.LENGTH
        assert all(delta.finish_reason is None for delta in answer.deltas[:-1])

    async def test_all_tokens_are_of_the_vocabulary(self, engine, harness):
        answer = await complete(engine, harness.prompt(5), max_tokens=40)

        assert all(0 <= token < engine.info.vocabulary_size for token in answer.token_ids)

    async def test_a_stop_token_ends_the_answer_and_is_not_part_of_it(self, engine, harness):
        whole = (await complete(engine, harness.prompt(5), max_tokens=40)).token_ids
        stop = whole[20]

        answer = await complete(engine, harness.prompt(5), max_tokens=40, stop_token_ids=frozenset({stop}))

        assert answer.token_ids == whole[: whole.index(stop)]
        assert answer.finish_reason == FinishReason.STOP

    async def test_a_stop_token_at_once_is_an_empty_answer(self, engine, harness):
        first = (await complete(engine, harness.prompt(5), max_tokens=1)).token_ids

        answer = await complete(engine, harness.prompt(5), stop_token_ids=frozenset(first))

        assert answer.token_ids == []
        assert answer.finish_reason == FinishReason.STOP

    async def test_any_of_several_stop_tokens_ends_the_answer(self, engine, harness):
        whole = (await complete(engine, harness.prompt(5), max_tokens=40)).token_ids
        stops = frozenset({whole[10], whole[15]})

        answer = await complete(engine, harness.prompt(5), max_tokens=40, stop_token_ids=stops)

        assert answer.token_ids == whole[: min(whole.index(stop) for stop in stops)]

    async def test_a_stop_token_that_would_be_the_last_allowed_one_still_stops(self, engine, harness):
        whole = (await complete(engine, harness.prompt(5), max_tokens=40)).token_ids
        at = next(i for i, token in enumerate(whole) if i > 3 and token not in whole[:i])

        answer = await complete(
            engine, harness.prompt(5), max_tokens=at + 1, stop_token_ids=frozenset({whole[at]})
        )

        assert (answer.token_ids, answer.finish_reason) == (whole[:at], FinishReason.STOP)

    async def test_no_stop_token_comes_before_min_tokens(self, engine, harness):
        whole = (await complete(engine, harness.prompt(5), max_tokens=40)).token_ids
        stops = frozenset({whole[0], whole[2]})

        answer = await complete(engine, harness.prompt(5), max_tokens=12, min_tokens=9, stop_token_ids=stops)

        assert 9 <= len(answer.token_ids) <= 12
        assert stops.isdisjoint(answer.token_ids)

    async def test_more_min_tokens_than_max_tokens_are_max_tokens(self, engine, harness):
        answer = await complete(engine, harness.prompt(5), max_tokens=4, min_tokens=9)

        assert len(answer.token_ids) == 4

    @pytest.mark.parametrize("length", [1, 31, 32, 33, 34, 64, 65, 100])
    async def test_greedy_answers_are_the_same_each_time(self, engine, harness, length):
        answers = [(await complete(engine, harness.prompt(length))).token_ids for _ in range(3)]

        assert answers[1:] == answers[:-1]

    @pytest.mark.parametrize("length", [3, 32, 33, 96, 97, 110])
    async def test_the_same_seed_alone_gives_the_same_answer(self, engine, harness, length):
        prompt = harness.prompt(length)[::-1]
        answers = [(await complete(engine, prompt, temperature=1, seed=7)).token_ids for _ in range(3)]

        assert answers[1:] == answers[:-1]

    async def test_the_largest_seed_is_a_seed(self, engine, harness):
        answer = await complete(engine, harness.prompt(5), temperature=1, seed=2**64 - 1)

        assert len(answer.token_ids) == 12

    @pytest.mark.parametrize("seeds", [range(5), [None] * 5])
    async def test_other_seeds_give_other_answers(self, engine, harness, seeds):
        if not harness.samples:
            pytest.skip("this engine does not sample")
        answers = {
            tuple((await complete(engine, harness.prompt(5), temperature=1.5, seed=seed)).token_ids)
            for seed in seeds
        }

        assert len(answers) > 1

    @pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-9}])
    async def test_sampling_from_one_candidate_is_greedy(self, engine, harness, narrow):
        greedy = await complete(engine, harness.prompt(7))

        answer = await complete(engine, harness.prompt(7), **({"temperature": 1} | narrow))

        assert answer.token_ids == greedy.token_ids

    @pytest.mark.parametrize(
        "penalty", [{"presence_penalty": 2.0}, {"frequency_penalty": 2.0}, {"repetition_penalty": 3.0}]
    )
    async def test_penalties_make_repetition_rarer(self, engine, harness, penalty):
        if not harness.samples:
            pytest.skip("this engine does not sample")

        async def count_repetitions(**params):
            answers = [
                (await complete(engine, harness.prompt(5), max_tokens=120, **params, seed=seed)).token_ids
                for seed in range(3)
            ]
            return sum(len(ids) - len(set(ids)) for ids in answers)

        flat = {"temperature": 2.0}

        assert await count_repetitions(**flat, **penalty) < await count_repetitions(**flat)

    async def test_a_negative_frequency_penalty_makes_repetition_likelier(self, engine, harness):
        if not harness.samples:
            pytest.skip("this engine does not sample")
        params = {"max_tokens": 120, "temperature": 2.0, "seed": 1}
        plain = await complete(engine, harness.prompt(5), **params)

        answer = await complete(engine, harness.prompt(5), frequency_penalty=-2.0, **params)

        assert len(set(answer.token_ids)) < len(set(plain.token_ids))

    async def test_closing_an_answer_ends_its_work(self, engine, harness):
        answers = [self.endless(engine, harness) for _ in range(engine.info.slots)]
        await asyncio.gather(*(anext(answer) for answer in answers))
        for answer in answers:
            await answer.aclose()

        await until(lambda: harness.is_idle(engine))
        assert len((await complete(engine, harness.prompt(5))).token_ids) == 12

    async def test_closing_some_answers_leaves_the_others_alone(self, engine, harness):
        alone = await complete(engine, harness.prompt(5), max_tokens=60)
        others = [self.endless(engine, harness) for _ in range(3)]
        answer = asyncio.create_task(complete(engine, harness.prompt(5), max_tokens=60))
        for other in others:
            await anext(other)
            await other.aclose()

        assert len((await answer).token_ids) == len(alone.token_ids)
        await until(lambda: harness.is_idle(engine))

    async def test_cancelling_the_reading_task_ends_its_work(self, engine, harness):
        begun = asyncio.Barrier(engine.info.slots + 1)

        async def read():
            async with aclosing(self.endless(engine, harness)) as deltas:
                await anext(deltas)
                await begun.wait()
                await drain(deltas)

        tasks = [asyncio.create_task(read()) for _ in range(engine.info.slots)]
        await begun.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

        assert all(task.cancelled() for task in tasks)
        await until(lambda: harness.is_idle(engine))

    async def test_a_request_that_is_cancelled_before_its_first_delta_does_no_work(self, engine, harness):
        async def read():
            async with aclosing(self.endless(engine, harness)) as deltas:
                await anext(deltas)

        tasks = [asyncio.create_task(read()) for _ in range(engine.info.slots)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

        await until(lambda: harness.is_idle(engine))

    async def test_a_generator_that_is_closed_unread_does_nothing(self, engine, harness):
        await self.endless(engine, harness).aclose()

        assert await harness.is_idle(engine)

    async def test_what_a_slow_reader_misses_waits_for_it(self, engine, harness):
        quick = await complete(engine, harness.prompt(9), max_tokens=60)

        params = SamplingParams(max_tokens=60, temperature=0)
        async with aclosing(engine.generate(TokensPrompt(harness.prompt(9)), params)) as deltas:
            first = await anext(deltas)
            await asyncio.sleep(0.2)
            slow = Answer([first, *[delta async for delta in deltas]])

        assert slow.token_ids == quick.token_ids
        assert slow.finish_reason == quick.finish_reason

    async def test_a_prompt_that_leaves_no_room_is_refused(self, engine, harness):
        longest = engine.info.max_context_length
        prompt = harness.prompt(longest)

        with pytest.raises(ContextLengthError, match=f"{longest} maximum context length"):
            await complete(engine, prompt)
        with pytest.raises(ContextLengthError):
            await complete(engine, prompt + prompt)

    async def test_a_prompt_that_leaves_room_for_one_token_gets_one(self, engine, harness):
        answer = await complete(engine, harness.prompt(engine.info.max_context_length - 1), max_tokens=50)

        assert (len(answer.token_ids), answer.finish_reason) == (1, FinishReason.LENGTH)

    async def test_max_tokens_beyond_the_room_are_the_room(self, engine, harness):
        room = 20
        prompt = harness.prompt(engine.info.max_context_length - room)

        answer = await complete(engine, prompt, max_tokens=10**9)

        assert (len(answer.token_ids), answer.finish_reason) == (room, FinishReason.LENGTH)

    async def test_requests_that_fill_the_cache_together_all_finish(self, engine, harness):
        if harness.cache_tokens is None:
            pytest.skip("this engine has no cache")
        length = engine.info.max_context_length // 2
        count = math.ceil(2 * harness.cache_tokens / length)
        prompts = [harness.prompt(length - 150)[i:] for i in range(count)]

        answers = await asyncio.gather(*(complete(engine, prompt, max_tokens=150) for prompt in prompts))

        assert [len(answer.token_ids) for answer in answers] == [150] * count

    @pytest.mark.parametrize("bad", [-1, 10**6, 2**40, 2**70])
    async def test_token_ids_out_of_the_vocabulary_are_refused(self, engine, harness, bad):
        with pytest.raises(InvalidRequestError):
            await complete(engine, [*harness.prompt(3), bad])
        with pytest.raises(InvalidRequestError):
            await complete(engine, harness.prompt(3), stop_token_ids=frozenset({bad}))
        with pytest.raises(InvalidRequestError):
            await complete(engine, [engine.info.vocabulary_size])

    async def test_an_empty_prompt_is_refused(self, engine, harness):
        with pytest.raises(InvalidRequestError):
            await complete(engine, [])

    @pytest.mark.parametrize(
        "params",
        [
            {"max_tokens": 0},
            {"max_tokens": -1},
            {"min_tokens": -1},
            {"seed": -1},
            {"seed": 2**64},
            {"temperature": -1},
            {"temperature": math.nan},
            {"temperature": math.inf},
            {"temperature": 1, "top_p": 0},
            {"temperature": 1, "top_p": 1.5},
            {"temperature": 1, "top_k": -1},
            {"presence_penalty": 2.5},
            {"frequency_penalty": -2.5},
            {"repetition_penalty": 0},
            {"repetition_penalty": math.nan},
        ],
    )
    async def test_parameters_out_of_their_bounds_are_refused(self, engine, harness, params):
        with pytest.raises(InvalidRequestError):
            await complete(engine, harness.prompt(3), **params)

    async def test_a_refused_request_harms_no_other(self, engine, harness):
        expected = (await complete(engine, harness.prompt(5), max_tokens=60)).token_ids
        running = asyncio.create_task(complete(engine, harness.prompt(5), max_tokens=60))
        await asyncio.sleep(0)
        for prompt in ([], [-1], harness.prompt(engine.info.max_context_length)):
            with pytest.raises(InvalidRequestError):
                await complete(engine, prompt)

        assert (await running).token_ids == expected

    async def test_many_requests_at_once_all_finish(self, engine, harness):
        lengths = [1 + i % 30 for i in range(100)]

        answers = await asyncio.gather(
            *(complete(engine, harness.prompt(n), max_tokens=n, temperature=1) for n in lengths)
        )

        assert [len(answer.token_ids) for answer in answers] == lengths

    async def test_a_prompt_that_was_answered_is_taken_from_the_cache(self, engine, harness):
        if harness.cached_block is None:
            pytest.skip("this engine has no prefix cache")
        block = harness.cached_block
        prompt = [1, *harness.prompt(3 * block + 4)]
        await complete(engine, prompt, max_tokens=1)

        again = await complete(engine, prompt)
        half = await complete(engine, [*prompt[: 2 * block], *prompt[:block]])
        other = await complete(engine, prompt[::-1])

        assert again.deltas[0].cached_tokens == 3 * block
        assert half.deltas[0].cached_tokens == 2 * block
        assert other.deltas[0].cached_tokens == 0
        assert all(delta.cached_tokens is None for delta in again.deltas[1:])

    async def test_an_engine_that_is_not_started_serves_nothing(self, harness):
        engine = harness.create()

        with pytest.raises(EngineUnavailableError):
            _ = engine.info
        with pytest.raises(EngineUnavailableError):
            await engine.check_health()
        with pytest.raises(EngineUnavailableError):
            await complete(engine, harness.prompt(3))
        await engine.close()

    async def test_closing_ends_running_requests_and_the_engine(self, harness):
        engine = harness.create()
        await engine.start()
        await engine.check_health()
        deltas = self.endless(engine, harness)
        await anext(deltas)
        waiting = asyncio.create_task(complete(engine, harness.prompt(4), max_tokens=10_000))
        await asyncio.sleep(0)

        await engine.close()

        with pytest.raises(EngineUnavailableError):
            await drain(deltas)
        with pytest.raises(EngineUnavailableError):
            await waiting
        with pytest.raises(EngineUnavailableError):
            await complete(engine, harness.prompt(3))
        with pytest.raises(EngineUnavailableError):
            await engine.check_health()
        await engine.close()

    def endless(self, engine, harness):
        """An answer that would go on for long."""
        params = SamplingParams(max_tokens=10**9, temperature=0)
        return engine.generate(TokensPrompt(harness.prompt(8)), params)


@dataclass(frozen=True)
class EmbeddingHarness:
    """An adapter under test."""

    create: Callable[[], EmbeddingEngine]
    text: Callable[[int, int], list[int]]
    """A sequence by number and length; other numbers mean something else."""
    is_idle: Callable[[EmbeddingEngine], Awaitable[bool]]


@pytest.mark.anyio
class EmbeddingConformance:
    """The suite of engines that turn texts into vectors."""

    async def test_vectors_are_normalised_float32_rows(self, engine, harness):
        vectors = await engine.embed([harness.text(i, 4 + i) for i in range(20)])

        assert vectors.dtype == np.float32
        assert vectors.shape == (20, engine.info.embedding_dimension)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(20), abs=1e-3)

    async def test_vectors_come_in_the_order_of_their_inputs(self, engine, harness):
        longest = engine.info.max_context_length
        inputs = [harness.text(i, length) for i, length in enumerate([9, longest, 4, 30, 4, 17, 2] * 3)]

        together = await engine.embed(inputs)
        alone = np.concatenate([await engine.embed([one]) for one in inputs])

        assert (together * alone).sum(axis=1) == pytest.approx(np.ones(len(inputs)), abs=1e-3)

    async def test_other_texts_have_other_vectors(self, engine, harness):
        vectors = await engine.embed([harness.text(i, 12) for i in range(5)])

        assert ((vectors @ vectors.T) - np.eye(5)).max() < 0.999

    async def test_the_same_inputs_have_the_same_vectors(self, engine, harness):
        inputs = [harness.text(i, 3 + i) for i in range(11)]

        assert (await engine.embed(inputs) == await engine.embed(inputs)).all()

    async def test_no_inputs_have_no_vectors(self, engine, harness):
        assert (await engine.embed([])).shape == (0, engine.info.embedding_dimension)

    async def test_many_requests_at_once_all_get_their_own_vectors(self, engine, harness):
        batches = [[harness.text(j, 5 + j) for j in range(i % 13)] for i in range(40)]

        results = await asyncio.gather(*(engine.embed(batch) for batch in batches))

        expected = await engine.embed(batches[12])
        for batch, vectors in zip(batches, results, strict=True):
            assert len(vectors) == len(batch)
            assert (vectors * expected[: len(batch)]).sum(axis=1) == pytest.approx(
                np.ones(len(batch)), abs=1e-3
            )

    async def test_a_short_request_does_not_wait_for_a_long_one(self, engine, harness):
        finished = []

        async def embed(name, inputs):
            await engine.embed(inputs)
            finished.append(name)

        long = embed("long", [harness.text(i, engine.info.max_context_length) for i in range(400)])
        await asyncio.gather(long, embed("short", [harness.text(0, 5)]))

        assert finished == ["short", "long"]

    async def test_a_cancelled_request_does_no_more_work(self, engine, harness):
        inputs = [harness.text(i, engine.info.max_context_length) for i in range(2000)]
        task = asyncio.create_task(engine.embed(inputs))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await until(lambda: harness.is_idle(engine))
        assert len(await engine.embed(inputs[:1])) == 1

    async def test_what_cannot_be_embedded_is_refused(self, engine, harness):
        good = harness.text(0, 5)
        with pytest.raises(InvalidRequestError):
            await engine.embed([good, []])
        with pytest.raises(InvalidRequestError):
            await engine.embed([good, [engine.info.vocabulary_size]])
        with pytest.raises(InvalidRequestError):
            await engine.embed([good, [-1]])
        with pytest.raises(ContextLengthError):
            await engine.embed([good, harness.text(0, engine.info.max_context_length + 1)])

    async def test_an_engine_that_is_not_started_serves_nothing(self, harness):
        engine = harness.create()

        with pytest.raises(EngineUnavailableError):
            _ = engine.info
        with pytest.raises(EngineUnavailableError):
            await engine.check_health()
        with pytest.raises(EngineUnavailableError):
            await engine.embed([harness.text(0, 5)])
        await engine.close()

    async def test_closing_ends_running_requests_and_the_engine(self, harness):
        engine = harness.create()
        await engine.start()
        inputs = [harness.text(i, engine.info.max_context_length) for i in range(2000)]
        running = asyncio.create_task(engine.embed(inputs))
        await asyncio.sleep(0.05)

        await engine.close()

        with pytest.raises(EngineUnavailableError):
            await running
        with pytest.raises(EngineUnavailableError):
            await engine.embed(inputs[:1])
        with pytest.raises(EngineUnavailableError):
            await engine.check_health()
