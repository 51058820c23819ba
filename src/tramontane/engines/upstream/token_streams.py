"""How servers that take token ids are asked, and what they say: vLLM's completions, and llama.cpp's own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tramontane.core.events import FinishReason
from tramontane.core.prompt import TokensPrompt
from tramontane.core.remote import Dialect
from tramontane.core.sampling import SamplingParams
from tramontane.engines.protocol import Ability, EngineDelta
from tramontane.engines.upstream.chunks import UsagePart
from tramontane.engines.upstream.facts import root_of
from tramontane.engines.upstream.failures import MisconfiguredError, ReplicaError
from tramontane.engines.upstream.refusals import in_band
from tramontane.errors import FeatureNotEnabledError

_FINISHED: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


class TokenStream(ABC):
    """One answer of a server: how it is asked for, and how it is read."""

    abilities: frozenset[Ability] = frozenset({Ability.ROUTED})

    def __init__(self, params: SamplingParams) -> None:
        self._params = params
        self._is_first = True
        self.is_ours_to_end = False
        """The server would go on: the stream is to be closed."""

    @staticmethod
    @abstractmethod
    def url(base_url: str) -> str:
        """Where it is asked for."""

    @abstractmethod
    def body(self, prompt: TokensPrompt, model: str) -> dict[str, Any]:
        """What is asked. All parameters are obeyed, or the answer is refused.

        Raises:
            FeatureNotEnabledError: the server cannot obey one.
        """

    @abstractmethod
    def feed(self, event: bytes) -> EngineDelta | None:
        """What one event of the stream says; None for nothing.

        Raises:
            ApiError, ReplicaError: an error, or nothing that can be understood.
        """

    def _delta(
        self,
        token_ids: Sequence[int],
        finish_reason: FinishReason | None,
        cached_tokens: int | None,
        logprobs: Sequence[float] = (),
    ) -> EngineDelta | None:
        """Only the first one tells of cached tokens."""
        if not token_ids and finish_reason is None:
            return None
        cached_tokens = cached_tokens if self._is_first else None
        self._is_first = False
        return EngineDelta(token_ids, finish_reason, cached_tokens, logprobs)


class _Logprobs(msgspec.Struct, frozen=True):
    token_logprobs: list[float | None] = []


class _Choice(msgspec.Struct, frozen=True):
    text: str = ""
    token_ids: list[int] | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Completion(msgspec.Struct, frozen=True):
    choices: list[_Choice] = []
    usage: UsagePart | None = None
    error: Any = None
    object: str | None = None


class VllmStream(TokenStream):
    """`POST /v1/completions` of vLLM (from 0.10.2 on, which returns token ids)."""

    abilities = frozenset({Ability.ROUTED, Ability.GRAMMAR, Ability.LOGPROBS})
    _decoder: Final = msgspec.json.Decoder(_Completion)

    @staticmethod
    def url(base_url: str) -> str:
        """The completions of OpenAI's API."""
        return f"{base_url}/completions"

    def body(self, prompt: TokensPrompt, model: str) -> dict[str, Any]:
        """The model's own end tokens are among the stop tokens, and no others end the answer."""
        params = self._params
        body = {
            "model": model,
            "prompt": list(prompt.token_ids),
            "max_tokens": params.max_tokens,
            "min_tokens": min(params.min_tokens, params.max_tokens),
            "temperature": params.temperature,
            "top_p": params.top_p,
            "top_k": params.top_k or -1,
            "min_p": 0.0,
            "presence_penalty": params.presence_penalty,
            "frequency_penalty": params.frequency_penalty,
            "repetition_penalty": params.repetition_penalty,
            "stop_token_ids": sorted(params.stop_token_ids),
            "ignore_eos": params.grammar is None,
            "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
            "return_token_ids": True,
            "skip_special_tokens": False,
        }
        if params.seed is not None:
            body["seed"] = params.seed - 2**64 if params.seed >= 2**63 else params.seed
        if params.logprobs:
            body["logprobs"] = 0  # of the token that was chosen, and of no other
        if params.grammar is not None:
            body["structured_outputs"] = {"grammar": params.grammar}
        return body

    def feed(self, event: bytes) -> EngineDelta | None:
        """Without the stop token, which it has at the end of the ids."""
        chunk = _decoded(self._decoder, event)
        if chunk.error is not None or chunk.object == "error":
            raise in_band(event)
        cached_tokens = chunk.usage.cached_tokens if chunk.usage else None
        if not chunk.choices:
            return None
        choice = chunk.choices[0]
        if choice.token_ids is None and choice.text:
            raise MisconfiguredError(
                'it returns no token ids, so that it cannot be driven by tokens: set speaks = "messages"'
            )
        token_ids = choice.token_ids or []
        reason = _reason(choice.finish_reason)
        if reason is FinishReason.STOP and token_ids and token_ids[-1] in self._params.stop_token_ids:
            token_ids = token_ids[:-1]
        logprobs: list[float] = []
        if self._params.logprobs:
            said = choice.logprobs.token_logprobs if choice.logprobs else []
            logprobs = [min(0.0, logprob or 0.0) for logprob in said[: len(token_ids)]]
            if len(logprobs) < len(token_ids):
                raise ReplicaError("it sent tokens without their log-probabilities")
        return self._delta(token_ids, reason, cached_tokens, logprobs)


class _Timings(msgspec.Struct, frozen=True):
    cache_n: int | None = None


class _LlamaChunk(msgspec.Struct, frozen=True):
    content: str = ""
    tokens: list[int] = []
    stop: bool = False
    stop_type: str | None = None
    timings: _Timings | None = None
    error: Any = None


class LlamaStream(TokenStream):
    """`POST /completion` of llama.cpp's server.

    It knows no stop tokens but the model's own: it is stopped from here.
    """

    _decoder: Final = msgspec.json.Decoder(_LlamaChunk)

    @staticmethod
    def url(base_url: str) -> str:
        """Beside OpenAI's API, which does not return token ids there."""
        return f"{root_of(base_url)}/completion"

    def body(self, prompt: TokensPrompt, model: str) -> dict[str, Any]:
        """In the order of OpenAI's samplers: penalties, temperature, and then the cuts."""
        params = self._params
        if params.min_tokens:
            raise FeatureNotEnabledError("min_tokens")
        return {
            "model": model,
            "prompt": list(prompt.token_ids),
            "n_predict": params.max_tokens,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "top_k": params.top_k,
            "min_p": 0.0,
            "presence_penalty": params.presence_penalty,
            "frequency_penalty": params.frequency_penalty,
            "repeat_penalty": params.repetition_penalty,
            # A number for "all" there is not, and it makes room for so many.
            "repeat_last_n": len(prompt) + params.max_tokens,
            "samplers": ["penalties", "temperature", "top_k", "top_p"],
            "seed": -1 if params.seed is None else params.seed % (2**32 - 1),
            "stream": True,
            "return_tokens": True,
            "timings_per_token": True,
            "cache_prompt": True,
        }

    def feed(self, event: bytes) -> EngineDelta | None:
        """Up to the first stop token: then the answer is over, and the stream is to be closed."""
        chunk = _decoded(self._decoder, event)
        if chunk.error is not None:
            raise in_band(event)
        if chunk.content and not chunk.tokens and not chunk.stop:
            raise MisconfiguredError(
                'it returns no token ids, so that it cannot be driven by tokens: set speaks = "messages"'
            )
        reason = None
        if chunk.stop:
            reason = FinishReason.LENGTH if chunk.stop_type == "limit" else FinishReason.STOP
        token_ids: list[int] = []
        # The last event repeats nothing: its tokens, if it has any, are new ones.
        for token_id in chunk.tokens:
            if token_id in self._params.stop_token_ids:
                reason = FinishReason.STOP
                self.is_ours_to_end = not chunk.stop
                break
            token_ids.append(token_id)
        return self._delta(token_ids, reason, chunk.timings.cache_n if chunk.timings else None)


def token_stream(dialect: Dialect) -> type[TokenStream]:
    """How a server of this kind is asked; one of an unknown kind as vLLM, whose way others follow."""
    return LlamaStream if dialect is Dialect.LLAMA_CPP else VllmStream


def _decoded(decoder: "msgspec.json.Decoder[Any]", event: bytes) -> Any:  # noqa: ANN401 - what it decodes
    try:
        return decoder.decode(event)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReplicaError(f"it sent what is no chunk of a completion: {error}") from error


def _reason(reason: str | None) -> FinishReason | None:
    if reason is None:
        return None
    if reason not in _FINISHED:
        raise ReplicaError(f"it broke off: {reason}")
    return _FINISHED[reason]
