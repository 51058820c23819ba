import pytest

from tests.support.scripted_engine import ScriptedEngine, generation_model
from tramontane.core.events import FinishReason
from tramontane.core.sampling import SamplingParams
from tramontane.core.vocabulary import TURN_END
from tramontane.errors import ContextLengthError, GreedySamplingError, InvalidRequestError
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.serving.sampling import (
    MAX_STOP_CHARACTERS,
    Room,
    context_length,
    room_for_answer,
    sampling_params,
    stop_strings,
)

ROOM = Room(100, FinishReason.MODEL_LENGTH)


def params_of(room=ROOM, default_temperature=None, **fields):
    request = ChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    )
    model = generation_model(ScriptedEngine(), default_temperature=default_temperature)
    return sampling_params(request, model, room)


def test_every_field_reaches_the_engine():
    assert params_of(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        min_tokens=3,
        max_tokens=10,
        random_seed=7,
        presence_penalty=-1,
        frequency_penalty=0.5,
        repetition_penalty=1.2,
        room=Room(10, FinishReason.LENGTH),
    ) == SamplingParams(
        max_tokens=10,
        min_tokens=3,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        presence_penalty=-1.0,
        frequency_penalty=0.5,
        repetition_penalty=1.2,
        seed=7,
        stop_token_ids=frozenset({TURN_END}),
    )


def test_what_is_left_out_is_neutral():
    neutral = SamplingParams(max_tokens=100, stop_token_ids=frozenset({TURN_END}))
    assert params_of() == neutral
    fim = FIMCompletionRequest(model="m", prompt="p")
    assert sampling_params(fim, generation_model(ScriptedEngine()), ROOM) == neutral


@pytest.mark.parametrize(
    ("default", "asked", "expected"), [(0.3, None, 0.3), (0.0, None, 0.0), (0.3, 0, 0.0)]
)
def test_the_models_own_temperature_is_the_default(default, asked, expected):
    assert params_of(default_temperature=default, temperature=asked).temperature == expected


def test_greedy_sampling_leaves_nothing_for_top_p():
    with pytest.raises(GreedySamplingError):
        params_of(temperature=0, top_p=0.9)
    with pytest.raises(GreedySamplingError):
        params_of(default_temperature=0.0, top_p=0.9)
    assert params_of(temperature=0, top_p=1).top_p == 1


def test_min_tokens_above_max_tokens_cannot_be():
    with pytest.raises(
        InvalidRequestError, match="min_tokens must be less than or equal to max_tokens=2, got 3"
    ):
        params_of(min_tokens=3, max_tokens=2)


def test_min_tokens_above_the_context_end_with_it():
    assert params_of(min_tokens=10**9).min_tokens == 100


@pytest.mark.parametrize(
    ("max_tokens", "expected"),
    [
        (None, Room(90, FinishReason.MODEL_LENGTH)),
        (10**9, Room(90, FinishReason.MODEL_LENGTH)),
        (91, Room(90, FinishReason.MODEL_LENGTH)),
        (90, Room(90, FinishReason.LENGTH)),
        (1, Room(1, FinishReason.LENGTH)),
        (0, Room(0, FinishReason.LENGTH)),
    ],
)
def test_the_room_for_an_answer_is_what_request_and_context_leave(max_tokens, expected):
    assert room_for_answer(max_tokens, prompt_tokens=10, max_context_length=100) == expected


@pytest.mark.parametrize("prompt_tokens", [100, 101])
def test_a_prompt_that_leaves_no_room_is_refused_with_the_hosted_phrase(prompt_tokens):
    with pytest.raises(ContextLengthError) as error:
        room_for_answer(5, prompt_tokens, max_context_length=100)
    assert error.value.message == (
        f"Prompt contains {prompt_tokens} tokens and 0 draft tokens, too large for model with "
        "100 maximum context length"
    )


def test_the_context_is_the_models_or_the_engines_whichever_ends_first():
    assert context_length(generation_model(ScriptedEngine(max_context_length=100))) == 100
    assert context_length(generation_model(ScriptedEngine(max_context_length=10**6))) == 8192


@pytest.mark.parametrize("stop", [None, "", [], ["", ""]])
def test_empty_stop_strings_are_none(stop):
    assert stop_strings(stop) is None


def test_one_stop_string_is_a_list_of_one():
    assert stop_strings("ab").stops == stop_strings(["ab"]).stops == [0, 0, 2]


def test_stop_strings_without_end_are_refused():
    with pytest.raises(InvalidRequestError, match="too long"):
        stop_strings(["a" * MAX_STOP_CHARACTERS, "b"])
