from dataclasses import replace

import pytest

from tests.support.metering import FreeMetering
from tests.support.scripted_engine import CONTEXT, ScriptedEngine, catalog_of, generation_model
from tests.support.served import served
from tramontane.core.events import ChoiceEnd, FinishReason, TextDelta, ThinkingDelta
from tramontane.core.usage import Usage
from tramontane.engines.protocol import Ability
from tramontane.errors import (
    ContextLengthError,
    FeatureNotEnabledError,
    InvalidModelError,
    InvalidRequestError,
    MessageOrderError,
    ToolSchemaError,
)
from tramontane.models.catalog import Catalog
from tramontane.prompts.chat_template import CHATML, ChatRenderer
from tramontane.prompts.tokenizer import ByteTokenizer
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.serving.assemble import Choice, Completion
from tramontane.serving.chat import SAFE_PROMPT, ChatService
from tramontane.serving.offload import LONG_TEXT

pytestmark = pytest.mark.anyio


def asking(content="Hi", **fields):
    messages = [{"role": "user", "content": content}]
    return ChatCompletionRequest.model_validate({"model": "chat", "messages": messages, **fields})


async def completed(engine, request, **profile):
    return await ChatService(catalog_of(engine, **profile), FreeMetering()).complete(CONTEXT, request)


async def test_a_conversation_is_rendered_continued_and_folded():
    engine = ScriptedEngine("Hello!")
    # Turn tokens are left out of the recorded prompt, the engine being one of bytes.
    usage = Usage(prompt_tokens=len("user\nHi\nassistant\n") + 3, completion_tokens=6)
    assert await completed(engine, asking()) == Completion((Choice(0, "Hello!", FinishReason.STOP),), usage)
    assert engine.prompts == ["user\nHi\nassistant\n"]


async def test_streaming_gives_the_events_that_the_whole_is_folded_of():
    service = ChatService(catalog_of(ScriptedEngine("Hey")), FreeMetering())
    events = [event async for event in service.stream(CONTEXT, asking())]
    assert [type(event) for event in events] == [TextDelta, TextDelta, TextDelta, ChoiceEnd]
    whole = await ChatService(catalog_of(ScriptedEngine("Hey")), FreeMetering()).complete(CONTEXT, asking())
    assert "".join(event.text for event in events) == whole.choices[0].text
    assert events[-1].usage == whole.usage


async def test_n_answers_come_in_the_order_of_their_index():
    completion = await completed(ScriptedEngine("long answer", "b", "c"), asking(n=3))
    assert [(c.index, c.text) for c in completion.choices] == [(0, "long answer"), (1, "b"), (2, "c")]


async def test_a_prediction_changes_nothing_and_is_for_one_answer():
    prediction = {"type": "content", "content": "Hello!"}
    plain = await completed(ScriptedEngine("Hello?"), asking())
    assert await completed(ScriptedEngine("Hello?"), asking(prediction=prediction)) == plain
    with pytest.raises(InvalidRequestError, match="prediction cannot be combined with n greater than 1"):
        await completed(ScriptedEngine("Hello?"), asking(prediction=prediction, n=2))
    nothing = {"type": "content", "content": ""}
    assert len((await completed(ScriptedEngine("a", "b"), asking(prediction=nothing, n=2))).choices) == 2


async def test_a_prefix_is_continued_and_part_of_the_answer():
    engine = ScriptedEngine(" upon a time")
    messages = [{"role": "user", "content": "Tell"}, {"role": "assistant", "content": "Once", "prefix": True}]
    completion = await completed(engine, asking(messages=messages))
    assert completion.choices[0].text == "Once upon a time"
    assert engine.prompts == ["user\nTell\nassistant\nOnce"]


async def test_stop_strings_end_the_answer():
    completion = await completed(ScriptedEngine("a, b, c"), asking(stop=[", c", "x"]))
    assert completion.choices == (Choice(0, "a, b", FinishReason.STOP),)


async def test_min_tokens_hold_stop_strings_off():
    completion = await completed(ScriptedEngine("a.b.c."), asking(stop=".", min_tokens=3))
    assert completion.choices[0].text == "a.b"


@pytest.mark.parametrize(
    ("max_tokens", "reason"), [(3, FinishReason.LENGTH), (None, FinishReason.MODEL_LENGTH)]
)
async def test_an_answer_ends_with_max_tokens_or_with_the_context(max_tokens, reason):
    engine = ScriptedEngine("x" * 500, max_context_length=60)
    completion = await completed(engine, asking(max_tokens=max_tokens))
    assert completion.choices[0].finish_reason is reason
    assert completion.usage.completion_tokens == (max_tokens or 60 - completion.usage.prompt_tokens)


async def test_max_tokens_zero_is_an_empty_answer():
    engine = ScriptedEngine("x")
    completion = await completed(engine, asking(max_tokens=0))
    assert completion.choices == (Choice(0, "", FinishReason.LENGTH),)
    assert completion.usage.completion_tokens == 0
    assert engine.log == []


async def test_the_safe_prompt_goes_in_front():
    engine = ScriptedEngine("ok")
    await completed(engine, asking(safe_prompt=True))
    assert engine.prompts == [f"system\n{SAFE_PROMPT}\nuser\nHi\nassistant\n"]


async def test_the_models_default_temperature_is_used():
    engine = ScriptedEngine("ok")
    await completed(engine, asking(), default_temperature=0.2)
    assert engine.params[0].temperature == 0.2


async def test_a_long_prompt_gives_the_same_prompt():
    engine = ScriptedEngine("ok", max_context_length=10**6)
    catalog = catalog_of(engine)
    object.__setattr__(next(iter(catalog)).profile, "max_context_length", 10**6)
    await ChatService(catalog, FreeMetering()).complete(CONTEXT, asking("x" * (LONG_TEXT + 1)))
    assert engine.prompts == ["user\n" + "x" * (LONG_TEXT + 1) + "\nassistant\n"]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (asking(model="nobody"), InvalidModelError),
        (asking(model="embed"), FeatureNotEnabledError),
        (asking(logprobs=True), FeatureNotEnabledError),
        (asking(messages=[]), MessageOrderError),
        (asking("x" * 5000), ContextLengthError),
        (asking("x" * 4085), ContextLengthError),
    ],
)
async def test_errors_of_the_request_come_before_the_first_event(request_, error):
    engine = ScriptedEngine("x")
    service = ChatService(catalog_of(engine), FreeMetering())
    with pytest.raises(error):
        await anext(service.stream(CONTEXT, request_))
    assert engine.log == []


LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = '<tool_call>{"name": "look", "arguments": {"at":"é"}}</tool_call>'


def called(choice):
    return choice.text, choice.finish_reason, [(call.name, call.arguments) for call in choice.tool_calls]


@pytest.mark.parametrize(
    ("script", "fields", "expected"),
    [
        (CALL, {}, ("", "tool_calls", [("look", '{"at": "é"}')])),
        (f"I look. {CALL}", {}, ("I look.", "tool_calls", [("look", '{"at": "é"}')])),
        (CALL * 2, {}, ("", "tool_calls", [("look", '{"at": "é"}')] * 2)),
        (CALL * 2, {"parallel_tool_calls": False}, ("", "tool_calls", [("look", '{"at": "é"}')])),
        (CALL, {"tool_choice": "none"}, (CALL, "stop", [])),
        (CALL, {"tools": None}, (CALL, "stop", [])),
        ("No need.", {}, ("No need.", "stop", [])),
        ("<tool_call>{", {}, ("<tool_call>{", "stop", [])),
        (CALL, {"max_tokens": 40}, ("", "length", [("look", "")])),
        (CALL, {"max_tokens": 40, "parallel_tool_calls": False}, ("", "length", [("look", "")])),
        (CALL * 9, {"max_tokens": 90, "parallel_tool_calls": False},
         ("", "tool_calls", [("look", '{"at": "é"}')])),
        (f"Stop. {CALL}", {"stop": "."}, ("Stop", "stop", [])),
    ],
)  # fmt: skip
async def test_calls_are_told_from_text(script, fields, expected):
    completion = await completed(ScriptedEngine(script), asking(**{"tools": [LOOK], **fields}))
    assert called(completion.choices[0]) == expected


async def test_tools_are_shown_to_the_model_unless_it_must_not_call():
    engine = ScriptedEngine("ok")
    await completed(engine, asking(tools=[LOOK]))
    await completed(engine, asking(tools=[LOOK], tool_choice="none"))
    assert ["look" in prompt for prompt in engine.prompts] == [True, False]


async def test_in_a_stream_calls_come_with_the_end_and_never_with_text():
    service = ChatService(catalog_of(ScriptedEngine([f"a {CALL}", " b"])), FreeMetering())
    *_, before, last = [event async for event in service.stream(CONTEXT, asking(tools=[LOOK]))]
    assert before == TextDelta(0, " b")
    assert (last.text, len(last.tool_calls)) == ("", 1)


async def test_a_forced_call_needs_an_engine_that_obeys_grammars():
    engine = ScriptedEngine(CALL)
    engine.info = replace(engine.info, abilities=frozenset({Ability.GRAMMAR}))
    await completed(engine, asking(tools=[LOOK], tool_choice="any"))
    assert '"look' in engine.params[0].grammar


async def test_thoughts_are_told_from_text():
    model = generation_model(ScriptedEngine("<think>Hm.</think>Yes."))
    chat = ChatRenderer(ByteTokenizer(), CHATML + "{# <think> #}")
    catalog = Catalog([served(replace(model, chat=chat))])
    service = ChatService(catalog, FreeMetering())
    events = [event async for event in service.stream(CONTEXT, asking(reasoning_effort="high"))]
    assert "".join(event.text for event in events if isinstance(event, ThinkingDelta)) == "Hm."
    whole = await service.complete(CONTEXT, asking())
    assert (whole.choices[0].text, whole.choices[0].thought) == ("Yes.", "Hm.")


async def test_a_model_that_does_not_think_says_so():
    with pytest.raises(FeatureNotEnabledError, match="reasoning_effort is not enabled"):
        await completed(ScriptedEngine("ok"), asking(reasoning_effort="high"))


async def test_logprobs_come_with_the_text_of_their_tokens_and_stop_where_it_stops():
    engine = ScriptedEngine(["aé", "b.c"])
    engine.info = replace(engine.info, abilities=frozenset({Ability.LOGPROBS}))
    service = ChatService(catalog_of(engine), FreeMetering())
    events = [event async for event in service.stream(CONTEXT, asking(logprobs=True, stop="."))]
    assert [[token.token_bytes for token in event.logprobs] for event in events] == [
        [b"a", b"\xc3", b"\xa9"],
        [b"b", b"."],
    ]
    [choice] = (await service.complete(CONTEXT, asking(logprobs=True))).choices
    assert [(token.token_id, token.logprob) for token in choice.logprobs] == [
        (token_id, -token_id / 256) for token_id in "aéb.c".encode()
    ]
    assert (await service.complete(CONTEXT, asking())).choices[0].logprobs == ()


@pytest.mark.parametrize(
    ("fields", "penalty"),
    [
        ({}, 1.1),
        ({"repetition_penalty": 1.0}, 1.0),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, 1.0),
    ],
    ids=["prose", "as the client says", "calls must repeat themselves"],
)
async def test_the_models_own_repetition_penalty_is_for_prose(fields, penalty):
    engine = ScriptedEngine("Yes.")
    catalog = Catalog([served(generation_model(engine, default_repetition_penalty=1.1))])
    request = ChatCompletionRequest.model_validate(
        {"model": "chat", "messages": [{"role": "user", "content": "Hi"}], **fields}
    )
    await ChatService(catalog, FreeMetering()).complete(CONTEXT, request)
    assert engine.params[0].repetition_penalty == penalty


class TestJsonNestedAsDeepAsABodyCanBe:
    """orjson reads 1024 levels; Python's own recursion ends earlier."""

    async def test_a_tool_is_refused(self):
        schema = {"type": "string"}
        for _ in range(480):
            schema = {"type": "object", "properties": {"a": schema}}
        function = {"name": "f", "parameters": schema}
        with pytest.raises(ToolSchemaError, match="nested too deeply"):
            await completed(ScriptedEngine("x"), asking(tools=[{"type": "function", "function": function}]))

    async def test_the_arguments_of_a_call_are_refused(self):
        arguments = 1
        for _ in range(1000):
            arguments = {"a": arguments}
        call = {"id": "a23456789", "function": {"name": "f", "arguments": arguments}}
        messages = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "content": "x", "tool_call_id": "a23456789"},
        ]
        request = ChatCompletionRequest.model_validate({"model": "chat", "messages": messages})
        with pytest.raises(InvalidRequestError):
            await completed(ScriptedEngine("x"), request)
