"""What every engine refuses before it begins, since libraries under them crash, hang or answer nonsense."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.engines.protocol import Ability, EngineInfo
from tramontane.errors import ContextLengthError, FeatureNotEnabledError, InvalidRequestError

_BOUNDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "max_tokens": lambda value: value >= 1,
    "min_tokens": lambda value: value >= 0,
    "temperature": lambda value: 0 <= value <= 2,
    "top_p": lambda value: 0 < value <= 1,
    "top_k": lambda value: value >= 0,
    "presence_penalty": lambda value: -2 <= value <= 2,
    "frequency_penalty": lambda value: -2 <= value <= 2,
    "repetition_penalty": lambda value: 0 < value < math.inf,
    "seed": lambda value: value is None or 0 <= value < 2**64,
}
"""What `SamplingParams` promises of its fields. NaN is never within."""


def check_generation(prompt: TokensPrompt, params: SamplingParams, info: EngineInfo) -> SamplingParams:
    """`params` with `max_tokens` no larger than the room that the prompt leaves.

    Raises:
        ContextLengthError: it leaves none.
        InvalidRequestError: a token id out of the vocabulary, an empty prompt, a parameter out of its bounds.
        FeatureNotEnabledError: a parameter or the prompt asks for an ability that the engine lacks.
    """
    token_ids = prompt.token_ids
    _check_prompt(token_ids, info)
    _check_media(prompt, info)
    _check_abilities(params, info)
    room = info.max_context_length - len(token_ids)
    if room < 1:
        raise ContextLengthError(len(token_ids), info.max_context_length)
    _check_in_vocabulary(params.stop_token_ids, info)
    for name, is_allowed in _BOUNDS.items():
        value = getattr(params, name)
        if not is_allowed(value):
            raise InvalidRequestError(f"{name} is out of its bounds: {value}")
    return replace(params, max_tokens=min(params.max_tokens, room))


def check_input(token_ids: Sequence[int], info: EngineInfo) -> None:
    """Return if the tokens can be turned into a vector.

    Raises:
        ContextLengthError: there are too many.
        InvalidRequestError: there are none, or one is out of the vocabulary.
    """
    _check_prompt(token_ids, info)
    if len(token_ids) > info.max_context_length:
        raise ContextLengthError(len(token_ids), info.max_context_length)


def _check_prompt(token_ids: Sequence[int], info: EngineInfo) -> None:
    if not token_ids:
        raise InvalidRequestError("The prompt is empty")
    _check_in_vocabulary(token_ids, info)


def _check_in_vocabulary(token_ids: Collection[int], info: EngineInfo) -> None:
    if token_ids and (min(token_ids) < 0 or max(token_ids) >= info.vocabulary_size):
        raise InvalidRequestError(f"A token id is not in the vocabulary of {info.vocabulary_size} tokens")


def _check_media(prompt: TokensPrompt, info: EngineInfo) -> None:
    if prompt.images and Ability.VISION not in info.abilities:
        raise FeatureNotEnabledError("Image input")
    if prompt.audios and Ability.AUDIO not in info.abilities:
        raise FeatureNotEnabledError("Audio input")


def _check_abilities(params: SamplingParams, info: EngineInfo) -> None:
    if params.grammar is not None and Ability.GRAMMAR not in info.abilities:
        raise FeatureNotEnabledError("Constrained decoding")
    if params.logprobs and Ability.LOGPROBS not in info.abilities:
        raise FeatureNotEnabledError("logprobs", "are")
