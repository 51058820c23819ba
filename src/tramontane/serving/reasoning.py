"""Whether and how long a model is asked to think."""

from collections.abc import Sequence

from tramontane.errors import FeatureNotEnabledError, InvalidRequestError
from tramontane.schemas.chat import ChatCompletionRequest, ReasoningEffort


def check_reasoning(request: ChatCompletionRequest, efforts: Sequence[ReasoningEffort]) -> None:
    """Accept `reasoning_effort` and `prompt_mode` as far as the model knows them; no effort is always known.

    Raises:
        FeatureNotEnabledError: the model does not think.
        InvalidRequestError: it does, but not in this measure.
    """
    effort = request.reasoning_effort
    if request.prompt_mode and not efforts:
        raise FeatureNotEnabledError("prompt_mode")
    if effort is None or effort in efforts:
        return
    if efforts:
        raise InvalidRequestError(
            f"reasoning_effort='{effort}' is not supported for this model. Must be one of {tuple(efforts)}"
        )
    if effort is not ReasoningEffort.none:
        raise FeatureNotEnabledError("reasoning_effort")
