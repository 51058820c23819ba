"""The border between the path of a completion and its money: nothing gets out that is not paid for."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from tramontane.core.events import ChoiceEnd, Event
from tramontane.core.usage import Usage
from tramontane.errors import EngineError
from tramontane.serving.metering import Meter


@dataclass(frozen=True, slots=True)
class Worst:
    """Tokens that a request uses at most, all its answers together."""

    prompt_tokens: int
    completion_tokens: int


async def metered(
    meter: Meter, worst: Worst, used: Callable[[], Usage], answer: AsyncGenerator[Event]
) -> AsyncGenerator[Event]:
    """The events of `answer`, the last one when all is in the ledger.

    Args:
        meter: of the request.
        worst: what the budget must allow.
        used: what it has used by now.
        answer: its last event, and no other, has the usage of all.

    Raises:
        SpendingLimitError, UnknownPriceError: the budget does not allow it.
        DeadlineError: it takes too long.
        EngineError: there is no last event.
        LedgerUnavailableError: it cannot be billed.
        ApiError: whatever `answer` raises.
    """
    last: ChoiceEnd | None = None
    async with meter.running(worst.prompt_tokens, worst.completion_tokens, used):
        async with meter.deadline() as deadline, aclosing(answer) as events:
            async for event in events:
                if isinstance(event, ChoiceEnd) and event.usage is not None:
                    last = event
                else:
                    deadline.pause()
                    yield event
                    deadline.resume()
        if last is None or last.usage is None:
            raise EngineError("The engine ended without an answer.")
        await meter.settle(last.usage)
    yield last
