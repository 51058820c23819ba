"""Sampling fields of a request → `SamplingParams` that the engine can obey."""

from dataclasses import dataclass
from typing import Final

from tramontane.core.events import FinishReason
from tramontane.core.sampling import SamplingParams
from tramontane.errors import ContextLengthError, GreedySamplingError, InvalidRequestError
from tramontane.models.loaded import GenerationModel
from tramontane.parsing.stop import StopStrings
from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.schemas.sampling import Stop

DEFAULT_TEMPERATURE: Final = 1.0
"""For a model that has no default of its own."""
MAX_STOP_CHARACTERS: Final = 16_384

CompletionRequest = ChatCompletionRequest | FIMCompletionRequest


@dataclass(frozen=True, slots=True)
class Room:
    """How long an answer may become, and what its end is called if it becomes so long."""

    max_tokens: int
    """0 if a client asks for no token at all."""
    finish_reason: FinishReason


def context_length(model: GenerationModel) -> int:
    """Tokens of prompt and answer together."""
    return min(model.profile.max_context_length, model.engine.info.max_context_length)


def room_for_answer(max_tokens: int | None, prompt_tokens: int, max_context_length: int) -> Room:
    """What `max_tokens` and the context leave; `model_length` if it is the context that ends the answer.

    Raises:
        ContextLengthError: the prompt leaves no room for a single token.
    """
    left = max_context_length - prompt_tokens
    if left <= 0:
        raise ContextLengthError(prompt_tokens, max_context_length)
    if max_tokens is None or max_tokens > left:
        return Room(left, FinishReason.MODEL_LENGTH)
    return Room(max_tokens, FinishReason.LENGTH)


def sampling_params(
    request: CompletionRequest, model: GenerationModel, room: Room, *, is_free: bool = False
) -> SamplingParams:
    """What the engine is asked for, defaults filled in.

    Args:
        request: what the client says.
        model: has defaults for what it does not say.
        room: for the answer.
        is_free: the answer is prose: code, calls and JSON must repeat themselves.

    Raises:
        GreedySamplingError: a temperature of 0 with a `top_p` below 1.
        InvalidRequestError: `min_tokens` above `max_tokens`.
    """
    temperature = _temperature(request, model)
    top_p = 1.0 if request.top_p is None else request.top_p
    if temperature == 0 and top_p != 1:
        raise GreedySamplingError
    min_tokens = request.min_tokens or 0
    if request.max_tokens is not None and min_tokens > request.max_tokens:
        raise InvalidRequestError(
            f"min_tokens must be less than or equal to max_tokens={request.max_tokens}, got {min_tokens}."
        )
    chat = request if isinstance(request, ChatCompletionRequest) else None
    default_penalty = model.profile.default_repetition_penalty if is_free else 1.0
    return SamplingParams(
        max_tokens=max(room.max_tokens, 1),
        min_tokens=min(min_tokens, room.max_tokens),
        temperature=temperature,
        top_p=top_p,
        top_k=(chat and chat.top_k) or 0,
        presence_penalty=(chat and chat.presence_penalty) or 0.0,
        frequency_penalty=(chat and chat.frequency_penalty) or 0.0,
        repetition_penalty=(chat and chat.repetition_penalty) or default_penalty,
        seed=request.random_seed,
        stop_token_ids=model.vocabulary.stop_ids,
    )


def stop_strings(stop: Stop) -> StopStrings | None:
    """The automaton for the field `stop`; None if there is nothing to look for.

    Raises:
        InvalidRequestError: more text than stop strings can sensibly have.
    """
    strings = [stop] if isinstance(stop, str) else stop or []
    if sum(map(len, strings)) > MAX_STOP_CHARACTERS:
        raise InvalidRequestError(
            f"Stop strings are too long: at most {MAX_STOP_CHARACTERS} characters together"
        )
    return StopStrings(strings) if any(strings) else None


def _temperature(request: CompletionRequest, model: GenerationModel) -> float:
    if request.temperature is not None:
        return request.temperature
    default = model.profile.default_temperature
    return DEFAULT_TEMPERATURE if default is None else default
