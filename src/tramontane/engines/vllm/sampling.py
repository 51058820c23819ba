"""Our sampling parameters in vLLM's words."""

from vllm import SamplingParams as VllmSamplingParams
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

from tramontane.core.sampling import SamplingParams

_LOWEST_TEMPERATURE = 1e-4
"""Below it logits divided by the temperature leave float32's range; it is greedy in all but name."""
_LOWEST_TOP_P = 1e-6


def vllm_params(params: SamplingParams) -> VllmSamplingParams:
    """The parameters of one request.

    Raises:
        ValueError: vLLM refuses a value.
    """
    grammar = params.grammar
    return VllmSamplingParams(
        max_tokens=params.max_tokens,
        min_tokens=min(params.min_tokens, params.max_tokens) if grammar is None else 0,
        temperature=params.temperature if params.temperature >= _LOWEST_TEMPERATURE else 0.0,
        top_p=max(params.top_p, _LOWEST_TOP_P),
        top_k=params.top_k,
        presence_penalty=params.presence_penalty,
        frequency_penalty=params.frequency_penalty,
        repetition_penalty=params.repetition_penalty,
        seed=params.seed,
        stop_token_ids=sorted(params.stop_token_ids),
        ignore_eos=True,  # ours are all that stop
        logprobs=0 if params.logprobs else None,
        structured_outputs=StructuredOutputsParams(grammar=grammar) if grammar is not None else None,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
        skip_clone=True,
    )
