"""The path of a completion that another server makes: budget → queue → server → ledger → events.

What `generation` is for the engines here. How many tokens the prompt has only the server knows; until it says
so, an estimate stands in.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from tramontane.core.context import RequestContext
from tramontane.core.events import ChoiceEnd, Event
from tramontane.core.remote import RemoteRequest, RunningUsage
from tramontane.models.loaded import RemoteModel
from tramontane.prompts.dialects.size import prompt_size
from tramontane.scheduling.admission import Lane
from tramontane.serving.metered import Worst, metered
from tramontane.serving.metering import Meter

logger = logging.getLogger(__name__)

USAGE_HEADER: Final = "x-tramontane-usage"
"""Says "estimated" where a server has not told what a request used."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A request that goes on, and what it may cost at most."""

    request: RemoteRequest
    max_tokens: int | None
    """Of each answer, if the client says so."""
    lane: Lane = Lane.CHAT


def relay(context: RequestContext, model: RemoteModel, going: Relay, meter: Meter) -> AsyncGenerator[Event]:
    """The answers as the server makes them. The last event comes when all is in the ledger.

    Raises:
        SpendingLimitError, UnknownPriceError: the budget does not allow it.
        CapacityError: the queue is full, here or there.
        DeadlineError: it takes too long.
        EngineUnavailableError, EngineError: the server does not answer, or fails on the way.
        InvalidRequestError: what the server says of the request.
        LedgerUnavailableError: it cannot be billed.
    """
    size, context_length = prompt_size(going.request.body), model.profile.max_context_length
    used = RunningUsage(min(size.likely, context_length))
    most = context_length if going.max_tokens is None else min(going.max_tokens, context_length)
    worst = Worst(min(size.most, context_length), most * going.request.n)
    events = _events(context, model, going, meter, used)
    return metered(meter, worst, lambda: used.usage, events)


async def _events(
    context: RequestContext, model: RemoteModel, going: Relay, meter: Meter, used: RunningUsage
) -> AsyncGenerator[Event]:
    async with model.admission.slot(context.principal.workspace_id, going.lane, going.request.n):
        meter.start()
        has_begun = False
        async with aclosing(model.engine.complete(going.request, used)) as events:
            async for event in events:
                if not has_begun:
                    has_begun = True
                    meter.note_first_token()
                if isinstance(event, ChoiceEnd) and event.usage is not None and not used.is_exact:
                    say_estimated(context, model.profile.id)
                yield event


def say_estimated(context: RequestContext, model_id: str) -> None:
    """In the header of a whole answer; that of a stream has been sent."""
    context.headers[USAGE_HEADER] = "estimated"
    logger.debug("%s does not say what a request used", model_id)
