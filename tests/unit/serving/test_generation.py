import asyncio
from contextlib import aclosing

import pytest

from tests.support.metering import FreeMeter
from tests.support.scripted_engine import CONTEXT, ScriptedEngine, generation_model
from tramontane.core.events import ChoiceEnd, FinishReason, TextDelta
from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.core.usage import Usage
from tramontane.engines.protocol import EngineDelta
from tramontane.errors import CapacityError, EngineError, EngineUnavailableError
from tramontane.parsing.stop import StopStrings
from tramontane.parsing.suffix import suffix_anchor
from tramontane.scheduling.admission import Admission
from tramontane.serving.generation import Generation, generate
from tramontane.serving.sampling import Room

pytestmark = pytest.mark.anyio


def a_generation(max_tokens=100, seed=None, min_tokens=0, reason=FinishReason.LENGTH, **options):
    params = SamplingParams(max_tokens=max(max_tokens, 1), min_tokens=min_tokens, seed=seed)
    return Generation(TokensPrompt(list(b"prompt")), params, Room(max_tokens, reason), **options)


def free_meter():
    return FreeMeter(settled=[], cut=[])


async def events_of(engine, generation, model=None):
    model = model or generation_model(engine)
    events = [event async for event in generate(CONTEXT, model, generation, free_meter())]
    assert model.admission.running == 0
    return events


def texts_of(events):
    texts = {}
    for event in events:
        texts[event.index] = texts.get(event.index, "") + event.text
    return texts


async def test_tokens_become_deltas_and_an_end_with_the_usage():
    engine = ScriptedEngine("Hi!", cached_tokens=4)
    assert await events_of(engine, a_generation()) == [
        TextDelta(0, "H"),
        TextDelta(0, "i"),
        TextDelta(0, "!"),
        ChoiceEnd(0, "", FinishReason.STOP, Usage(prompt_tokens=6, completion_tokens=3, cached_tokens=4)),
    ]


async def test_half_a_character_is_not_a_delta():
    engine = ScriptedEngine("a🌬b")
    assert [event.text for event in await events_of(engine, a_generation())] == ["a", "🌬", "b", ""]


async def test_a_stop_string_over_several_tokens_ends_answer_and_engine_at_once():
    engine = ScriptedEngine("one</end>two")
    events = await events_of(engine, a_generation(stop=StopStrings(["</end>"])))
    assert texts_of(events) == {0: "one"}
    assert events[-1] == ChoiceEnd(0, "", FinishReason.STOP, Usage(6, len("one</end>")))
    assert engine.log[-1] == ("close", 0)
    assert engine.log.count(("delta", 0)) == len("one</end>")


async def test_tokens_behind_a_stop_string_in_the_same_delta_do_not_count():
    events = await events_of(ScriptedEngine(["one. two. three"]), a_generation(stop=StopStrings(["two"])))
    assert events == [ChoiceEnd(0, "one. ", FinishReason.STOP, Usage(6, len("one. two")))]


async def test_what_was_held_back_for_a_stop_string_comes_with_the_end():
    events = await events_of(ScriptedEngine("a</en"), a_generation(stop=StopStrings(["</end>"])))
    assert events[-1] == ChoiceEnd(0, "</en", FinishReason.STOP, Usage(6, 5))


@pytest.mark.parametrize("reason", [FinishReason.LENGTH, FinishReason.MODEL_LENGTH])
async def test_an_answer_cut_by_its_length_says_whose_length_it_was(reason):
    events = await events_of(ScriptedEngine("abcdef"), a_generation(max_tokens=3, reason=reason))
    assert events[-1] == ChoiceEnd(0, "c", reason, Usage(6, 3))


async def test_a_stop_string_that_is_complete_with_the_last_token_is_a_stop():
    events = await events_of(ScriptedEngine("abc"), a_generation(max_tokens=3, stop=StopStrings(["c"])))
    assert events[-1] == ChoiceEnd(0, "", FinishReason.STOP, Usage(6, 3))


async def test_a_suffix_found_at_the_very_end_is_a_stop():
    generation = a_generation(max_tokens=5, suffix=suffix_anchor("x = ", "end"))
    events = await events_of(ScriptedEngine("1 end"), generation)
    assert texts_of(events) == {0: "1 "}
    assert events[-1].finish_reason is FinishReason.STOP


async def test_the_answer_begins_with_the_prefix_which_is_no_completion_token():
    events = await events_of(ScriptedEngine(" upon"), a_generation(prefix="Once"))
    assert events[0] == TextDelta(0, "Once ")
    assert texts_of(events) == {0: "Once upon"}
    assert events[-1].usage == Usage(6, 5)


async def test_without_room_for_a_token_the_answers_are_empty_and_the_engine_is_not_asked():
    engine = ScriptedEngine("x")
    assert await events_of(engine, a_generation(max_tokens=0, n=2, prefix="p")) == [
        ChoiceEnd(0, "p", FinishReason.LENGTH),
        ChoiceEnd(1, "p", FinishReason.LENGTH, Usage(6)),
    ]
    assert engine.log == []


class TestSeveralAnswers:
    async def test_the_others_start_when_the_first_has_its_first_delta(self):
        engine = ScriptedEngine("abc", "def", "ghi", cached_tokens=2)
        events = await events_of(engine, a_generation(n=3))
        assert texts_of(events) == {0: "abc", 1: "def", 2: "ghi"}
        assert engine.log.index(("delta", 0)) < engine.log.index(("start", 1))
        assert engine.log.index(("start", 2)) < engine.log.index(("close", 0))
        assert engine.log[0] == ("start", 0)

    async def test_a_first_delta_without_text_is_enough(self):
        engine = ScriptedEngine("🌬", "b")
        await events_of(engine, a_generation(n=2))
        assert engine.log.index(("start", 1)) < engine.log.index(("close", 0))

    async def test_the_usage_counts_the_prompt_once_and_comes_with_the_very_last_event(self):
        events = await events_of(ScriptedEngine("a", "bcd", "ef", cached_tokens=5), a_generation(n=3))
        assert [event.usage for event in events if isinstance(event, ChoiceEnd)] == [
            None,
            None,
            Usage(6, 6, 5),
        ]
        assert events[-1].usage == Usage(6, 6, 5)

    async def test_a_short_answer_ends_while_the_others_go_on(self):
        events = await events_of(ScriptedEngine("a", "b" * 20), a_generation(n=2))
        first_end = events.index(ChoiceEnd(0, "", FinishReason.STOP))
        assert sum(event.index == 1 for event in events[first_end:]) > 10

    async def test_answers_are_interleaved(self):
        events = await events_of(ScriptedEngine("a" * 10, "b" * 10), a_generation(n=2))
        order = "".join(event.text for event in events)
        assert "ab" in order
        assert "ba" in order

    async def test_each_answer_has_its_own_seed(self):
        engine = ScriptedEngine("x")
        await events_of(engine, a_generation(n=3, seed=2**64 - 2))
        assert sorted(params.seed for params in engine.params) == [0, 2**64 - 2, 2**64 - 1]

    async def test_without_a_seed_none_is_made_up(self):
        engine = ScriptedEngine("x")
        await events_of(engine, a_generation(n=2))
        assert [params.seed for params in engine.params] == [None, None]

    async def test_an_error_in_one_closes_all(self):
        engine = ScriptedEngine("a" * 50, ["b", EngineError("broken")])
        model = generation_model(engine)
        with pytest.raises(EngineError, match="broken"):
            await events_of(engine, a_generation(n=3), model)
        started = {number for what, number in engine.log if what == "start"}
        closed = {number for what, number in engine.log if what == "close"}
        assert started == closed
        assert model.admission.running == 0

    async def test_an_error_before_the_first_delta_starts_no_other(self):
        engine = ScriptedEngine([EngineError("broken")])
        with pytest.raises(EngineError):
            await events_of(engine, a_generation(n=3))
        assert engine.log == [("start", 0), ("close", 0)]

    async def test_a_client_that_leaves_closes_all(self):
        engine = ScriptedEngine("a" * 50)
        model = generation_model(engine)
        tasks = asyncio.all_tasks()
        async with aclosing(generate(CONTEXT, model, a_generation(n=3), free_meter())) as events:
            async for _ in events:
                if engine.log.count(("delta", 2)) > 2:
                    break
        assert sorted(number for what, number in engine.log if what == "close") == [0, 1, 2]
        assert model.admission.running == 0
        assert asyncio.all_tasks() == tasks

    async def test_n_answers_hold_n_slots(self):
        model = generation_model(ScriptedEngine("abc"))
        async with aclosing(generate(CONTEXT, model, a_generation(n=3), free_meter())) as events:
            await anext(events)
            assert model.admission.running == 3


class TestLeaving:
    async def test_a_client_that_leaves_closes_the_engine_and_frees_the_slot(self):
        engine = ScriptedEngine("abc")
        model = generation_model(engine)
        async with aclosing(generate(CONTEXT, model, a_generation(), free_meter())) as events:
            assert await anext(events) == TextDelta(0, "a")
            assert model.admission.running == 1
        assert engine.log == [("start", 0), ("delta", 0), ("close", 0)]
        assert model.admission.running == 0

    @pytest.mark.parametrize("n", [1, 2])
    async def test_a_cancelled_task_closes_the_engine_and_frees_the_slot(self, n):
        engine = ScriptedEngine("a" * 10_000)
        model = generation_model(engine)
        task = asyncio.create_task(events_of(engine, a_generation(max_tokens=10_000, n=n), model))
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(number for what, number in engine.log if what == "close") == list(range(n))
        assert model.admission.running == 0

    async def test_an_error_on_the_way_is_raised_and_closes_everything(self):
        engine = ScriptedEngine(["a", EngineError("broken")])
        model = generation_model(engine)
        events = generate(CONTEXT, model, a_generation(), free_meter())
        assert await anext(events) == TextDelta(0, "a")
        with pytest.raises(EngineError, match="broken"):
            await anext(events)
        assert engine.log[-1] == ("close", 0)
        assert model.admission.running == 0

    async def test_an_engine_that_just_stops_talking_has_failed(self):
        class Mute(ScriptedEngine):
            async def generate(self, prompt, params):
                yield EngineDelta([97])

        with pytest.raises(EngineError):
            await events_of(Mute(), a_generation(n=2))

    async def test_a_full_queue_refuses_before_the_engine_is_asked(self):
        engine = ScriptedEngine("x")
        model = generation_model(engine)
        object.__setattr__(model, "admission", Admission(slots=1, max_queue=0))
        async with model.admission.slot("other"):
            with pytest.raises(CapacityError):
                await anext(generate(CONTEXT, model, a_generation(), free_meter()))
        assert engine.log == []


class TestSettlement:
    async def test_a_whole_answer_is_settled_before_its_last_event_and_after_its_slot_is_free(self):
        model, meter = generation_model(ScriptedEngine("ab", cached_tokens=2)), free_meter()
        seen = [
            (type(event), list(meter.settled), model.admission.running)
            async for event in generate(CONTEXT, model, a_generation(), meter)
        ]
        assert seen == [
            (TextDelta, [], 1),
            (TextDelta, [], 1),
            (ChoiceEnd, [Usage(prompt_tokens=6, completion_tokens=2, cached_tokens=2)], 0),
        ]
        assert not meter.cut

    async def test_n_answers_are_settled_once(self):
        meter = free_meter()
        model = generation_model(ScriptedEngine("a", "bcd", "ef"))
        events = [event async for event in generate(CONTEXT, model, a_generation(n=3), meter)]
        assert meter.settled == [events[-1].usage] == [Usage(prompt_tokens=6, completion_tokens=6)]

    async def test_without_room_for_a_token_the_prompt_is_settled(self):
        meter = free_meter()
        events = generate(CONTEXT, generation_model(ScriptedEngine("x")), a_generation(max_tokens=0), meter)
        assert [event.usage async for event in events] == meter.settled == [Usage(prompt_tokens=6)]

    async def test_a_client_that_leaves_is_billed_for_what_it_got(self):
        meter = free_meter()
        model = generation_model(ScriptedEngine("abc", "defgh", cached_tokens=1))
        async with aclosing(generate(CONTEXT, model, a_generation(n=2), meter)) as events:
            told = {0: 0, 1: 0}
            async for event in events:
                told[event.index] += len(event.text)
                if told[1] == 2:
                    break
        assert not meter.settled
        (used,) = meter.cut
        assert (used.prompt_tokens, used.cached_tokens) == (6, 1)
        assert used.completion_tokens >= sum(told.values())

    async def test_an_error_is_billed_for_what_came_before_it(self):
        meter = free_meter()
        model = generation_model(ScriptedEngine(["a", "b", EngineError("broken")]))
        with pytest.raises(EngineError):
            [event async for event in generate(CONTEXT, model, a_generation(), meter)]
        assert meter.cut == [Usage(prompt_tokens=6, completion_tokens=2)]

    async def test_an_error_before_the_first_token_costs_nothing(self):
        meter = free_meter()
        model = generation_model(ScriptedEngine([EngineError("broken")]))
        with pytest.raises(EngineError):
            [event async for event in generate(CONTEXT, model, a_generation(), meter)]
        assert meter.cut == [Usage(prompt_tokens=0)]

    async def test_what_cannot_be_settled_is_not_completed(self):
        class NoLedger(FreeMeter):
            async def settle(self, usage):
                raise EngineUnavailableError

        model = generation_model(ScriptedEngine("ab"))
        events = generate(CONTEXT, model, a_generation(), NoLedger([], []))
        assert [await anext(events), await anext(events)] == [TextDelta(0, "a"), TextDelta(0, "b")]
        with pytest.raises(EngineUnavailableError):
            await anext(events)
