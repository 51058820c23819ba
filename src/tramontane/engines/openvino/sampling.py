"""Our sampling parameters in the library's words."""

import secrets

import openvino_genai as genai

from tramontane.core.sampling import SamplingParams

_LOWEST_TEMPERATURE = 1e-4
"""Below it logits divided by the temperature leave float32's range; it is greedy in all but name."""
_LOWEST_TOP_P = 1e-6
_NO_TOKEN = 0


def generation_config(params: SamplingParams) -> genai.GenerationConfig:
    """The configuration of one request.

    Raises:
        RuntimeError: the library refuses a value (when the request is added).
    """
    config = genai.GenerationConfig()
    config.max_new_tokens = params.max_tokens
    if params.grammar is None:
        config.min_new_tokens = min(params.min_tokens, params.max_tokens)
    else:
        config.structured_output_config = genai.StructuredOutputConfig(grammar=params.grammar)
    config.logprobs = int(params.logprobs)
    config.do_sample = params.temperature >= _LOWEST_TEMPERATURE
    if config.do_sample:
        config.temperature = params.temperature
        config.top_p = max(params.top_p, _LOWEST_TOP_P)
        config.top_k = params.top_k
        config.rng_seed = secrets.randbits(64) if params.seed is None else params.seed
    config.presence_penalty = params.presence_penalty
    config.frequency_penalty = params.frequency_penalty
    config.repetition_penalty = params.repetition_penalty
    _set_stop_tokens(config, params.stop_token_ids)
    return config


def _set_stop_tokens(config: genai.GenerationConfig, stop_token_ids: frozenset[int]) -> None:
    """Without a tokenizer the library knows no end of sequence, yet wants one among the stop tokens."""
    if not stop_token_ids:
        config.ignore_eos = True
        config.set_eos_token_id(_NO_TOKEN)
        return
    config.set_eos_token_id(min(stop_token_ids))
    config.stop_token_ids = set(stop_token_ids)


def is_repeatable(params: SamplingParams) -> bool:
    """The same request should get the same answer again."""
    return params.seed is not None or params.temperature < _LOWEST_TEMPERATURE
