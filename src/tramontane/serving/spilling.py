"""When a model has no room or is not there, the next in its list takes the request.

Only as long as nothing of an answer has come: then the client has not been told anything yet, and nothing is
billed. The limits are those of the model asked for; the answer's header, the row in the ledger and the price
are those of the model that answers.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from tramontane.core.context import MODEL_HEADER, RequestContext
from tramontane.errors import CapacityError, EngineUnavailableError, InvalidRequestError
from tramontane.models.loader import ModelT
from tramontane.models.served import ServedModel
from tramontane.serving.metering import Meter

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


def first_of(
    context: RequestContext,
    meter: Meter,
    models: Sequence[ServedModel[ModelT]],
    answer: Callable[[ServedModel[ModelT]], AsyncGenerator[Item]],
) -> AsyncGenerator[Item]:
    """What `answer` yields for the first of `models` that takes the request; nearly always there is but one.

    Raises:
        CapacityError, EngineUnavailableError: what the first model said, if none takes it.
        ApiError: whatever else `answer` raises.
    """
    if len(models) == 1:
        _announce(context, meter, models[0], can_hand_over=False)
        return answer(models[0])
    return _spilling(context, meter, models, answer)


async def _spilling(
    context: RequestContext,
    meter: Meter,
    models: Sequence[ServedModel[ModelT]],
    answer: Callable[[ServedModel[ModelT]], AsyncGenerator[Item]],
) -> AsyncGenerator[Item]:
    """A model further down that cannot do what the request asks is passed over."""
    first_refusal: CapacityError | EngineUnavailableError | None = None
    for place, model in enumerate(models):
        _announce(context, meter, model, can_hand_over=place + 1 < len(models))
        has_begun = False
        try:
            async with aclosing(answer(model)) as items:
                async for item in items:
                    has_begun = True
                    yield item
        except (CapacityError, EngineUnavailableError) as refusal:
            if has_begun:
                raise
            first_refusal = first_refusal or refusal
            logger.info("%s does not take a request: %s", model.name, refusal)
        except InvalidRequestError as error:
            if has_begun or first_refusal is None:
                raise
            logger.info("%s does not take over a request: %s", model.name, error)
        else:
            return
    assert first_refusal
    raise first_refusal


def _announce(
    context: RequestContext, meter: Meter, model: ServedModel[ModelT], *, can_hand_over: bool
) -> None:
    """Say who answers, to whom it matters."""
    meter.serve(model.name, model.profile.listed_as, can_hand_over=can_hand_over)
    context.headers[MODEL_HEADER] = model.name
