"""What becomes of every field of a request: served, accepted without effect, or refused.

A field is accepted without effect only if the answer is the one that it asks for. Everything else that is not
served is refused by name. `docs/compatibility.md` is made from these tables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

from tramontane.errors import FeatureNotEnabledError


class Status(StrEnum):
    """How a field is treated."""

    SERVED = "served"
    ACCEPTED = "accepted"
    """Without effect: the answer is what it would be."""
    REFUSED = "refused"
    """With 400, unless its value asks for nothing."""


@dataclass(frozen=True, slots=True)
class FieldSupport:
    """How one field is treated, and what a reader of the documentation should know."""

    status: Status
    note: str = ""
    feature: str = ""
    """How the refusal calls it, in the hosted API's words where they are known."""
    verb: str = "is"
    asks: Callable[[Any], bool] = bool
    """Whether a value asks for what is refused."""


def _served(note: str = "") -> FieldSupport:
    return FieldSupport(Status.SERVED, note)


def _accepted(note: str) -> FieldSupport:
    return FieldSupport(Status.ACCEPTED, note)


def _refused(
    feature: str, note: str, asks: Callable[[Any], bool] = bool, *, verb: str = "is"
) -> FieldSupport:
    return FieldSupport(Status.REFUSED, note, feature, verb, asks)


_LOGPROBS: Final = _refused("Logprobs", "null, false or 0", verb="are")
_FREE: Final = _accepted("free, up to 16 KiB as JSON; without effect on the answer")

COMPLETION_FIELDS: Final[dict[str, FieldSupport]] = {
    "model": _served("an id or an alias of `/v1/models`"),
    "temperature": _served("null is the model's default"),
    "top_p": _served("must be 1 with `temperature` 0"),
    "max_tokens": _served(
        "more than the context holds is clamped, and ends with `model_length`; 0 is an empty answer"
    ),
    "min_tokens": _served(
        "neither stop token nor stop string before; at most `max_tokens`; not of an answer that has a form"
    ),
    "stream": _served(),
    "stop": _served("an empty string is none"),
    "random_seed": _served("answer `i` of `n` takes the seed plus `i`"),
    "metadata": _FREE,
    "prompt_cache_key": _accepted("prefixes are cached without it"),
}
"""Of chat and fill-in-the-middle alike."""

CHAT_FIELDS: Final[dict[str, FieldSupport]] = COMPLETION_FIELDS | {
    "messages": _served(
        "text of all roles, and `prefix`; [other content](#messages) where the model can read it"
    ),
    "presence_penalty": _served(),
    "frequency_penalty": _served(),
    "repetition_penalty": _served(
        "null is the model's default: 1.1 for free text of the built-in one, else 1"
    ),
    "top_k": _served("the hosted models refuse it"),
    "n": _served("all answers share one prefill"),
    "safe_prompt": _served("puts the hosted safety prompt in front"),
    "tools": _served("functions, up to 128; tools that only the hosted API runs are refused"),
    "tool_choice": _served(
        "forced calls, and those of `strict` functions, are [valid by construction](structured-output.md)"
    ),
    "parallel_tool_calls": _served("false ends the answer with its first call"),
    "response_format": _served(
        "valid by construction, `strict` or not, also beside tools; "
        "[what of a schema is enforced](structured-output.md); not with `prefix`"
    ),
    "logprobs": _served("of the tokens that were chosen, before temperature, penalties and grammar"),
    "top_logprobs": _LOGPROBS,
    "prompt_logprobs": _LOGPROBS,
    "top_prompt_logprobs": _LOGPROBS,
    "prediction": _accepted("a hint for speed, which no engine here takes; not with `n` above 1"),
    "reasoning_effort": _served("of models that think; others take null and `none`"),
    "prompt_mode": _served("of models that think"),
    "guardrails": _refused("Guardrails", "null or empty", verb="are"),
    "service_tier": _accepted("there is one tier"),
}

FIM_FIELDS: Final[dict[str, FieldSupport]] = COMPLETION_FIELDS | {
    "prompt": _served(),
    "suffix": _served("a model without tokens for it stops where the suffix resumes"),
    "prompt_cache_key": _served("a newer request of the workspace with the same key ends this one with 409"),
}

EMBEDDING_FIELDS: Final[dict[str, FieldSupport]] = {
    "model": COMPLETION_FIELDS["model"],
    "metadata": _FREE,
    "input": _served("up to 512 inputs of up to 8192 tokens, 16384 tokens in all; none of them token ids"),
    "output_dimension": _served("the first dimensions, not normalised again"),
    "output_dtype": _served(),
    "encoding_format": _served("`base64` of little-endian bytes"),
}


def check_features(request: BaseModel, fields: Mapping[str, FieldSupport]) -> None:
    """Accept a request that asks for nothing but what is served.

    Raises:
        FeatureNotEnabledError: the first field that does.
    """
    for name, support in fields.items():
        if support.status is Status.REFUSED and support.asks(getattr(request, name)):
            raise FeatureNotEnabledError(support.feature, support.verb)
