"""The money side of a request: admitted by the limits, reserved in the budget, settled in the ledger.

The stages in between see a `Meter` and nothing of limits or prices. However a request ends, it is settled
once: a whole answer before its last event is told, one that was cut as soon as it is cut.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tramontane.billing.entities import BillableRequest, Endpoint, Outcome, PriceKey, Reservation, Status
from tramontane.billing.service import BillingService
from tramontane.core.clock import Clock
from tramontane.core.context import RequestContext
from tramontane.core.deadlines import Deadlines
from tramontane.core.usage import Usage
from tramontane.errors import ApiError, CapacityError, EngineError, EngineUnavailableError
from tramontane.limits.service import Admitted, LimitsService
from tramontane.observability.requests import FinishedRequest, RequestObserver
from tramontane.serving.deadline import Deadline
from tramontane.serving.running import Running, RunningRequests

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What the ledger keeps of a request beside its tokens."""

    endpoint: Endpoint
    model: str
    """The id that was asked for."""
    stream: bool = False
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Means:
    """What all meters work with."""

    billing: BillingService
    clock: Clock
    observers: Sequence[RequestObserver]
    deadlines: Deadlines
    requests: RunningRequests
    run: Callable[[Coroutine[None, None, None]], asyncio.Task[None]]
    """In a task of its own."""


class Metering:
    """Admits requests and hands out their meters; `observers` are told of each when it is over."""

    def __init__(
        self,
        limits: LimitsService,
        billing: BillingService,
        clock: Clock,
        observers: Sequence[RequestObserver] = (),
        deadlines: Deadlines | None = None,
    ) -> None:
        self._limits = limits
        self.running = RunningRequests(clock)
        """What runs now."""
        self._means = _Means(billing, clock, observers, deadlines or Deadlines(), self.running, self._run)
        self._closing: set[asyncio.Task[None]] = set()

    async def admit(self, context: RequestContext, order: Order, served: str) -> "Meter":
        """The meter of a request that the limits let pass; the headers of its answer say what they leave.

        Args:
            context: of the request.
            order: what it asks for.
            served: id of the model that answers.

        Raises:
            RateLimitError: a limit is reached.
            StorageError: the limits cannot be read.
        """
        admitted = await self._limits.admit(
            context.principal.workspace_id, served, shows_tokens=order.endpoint is not Endpoint.EMBEDDINGS
        )
        context.headers.update(admitted.headers)
        return Meter(self._means, context, order, served, admitted)

    async def close(self) -> None:
        """Wait until every request that was cut is settled. Comes before the close of limits and billing."""
        while self._closing:
            await asyncio.wait(self._closing)

    def _run(self, settlement: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """In a task of its own: a client that leaves must not stop it."""
        task = asyncio.create_task(settlement)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task


class Meter:
    """One request, from its admission to its row in the ledger."""

    def __init__(
        self, means: _Means, context: RequestContext, order: Order, served: str, admitted: Admitted
    ) -> None:
        self._billing = means.billing
        self._clock = means.clock
        self._observers = means.observers
        self._deadlines = means.deadlines
        self._requests = means.requests
        self._run = means.run
        self._context = context
        self._order = order
        self._first_served = self._served = served
        self._priced_as: PriceKey | None = None
        self._can_hand_over = False
        self._admitted = admitted
        self._queued: float | None = None
        self._first_token: float | None = None
        self._deadline: Deadline | None = None
        self._is_started = False
        self._is_settled = False

    @asynccontextmanager
    async def running(
        self, prompt_tokens: int, max_completion_tokens: int, used: Callable[[], Usage]
    ) -> AsyncGenerator[None]:
        """Hold the budget for as long as the request runs.

        Whoever leaves the block without `settle` is billed for what was `used` until then.

        Raises:
            SpendingLimitError: it may cost more than a limit leaves.
            UnknownPriceError: a limit applies, and the model has no price.
            LedgerUnavailableError: the database cannot be used.
        """
        reservation = await self._billing.reserve(self._billable(prompt_tokens, max_completion_tokens))
        self._reservation = reservation
        self._running = Running(self._context.principal.workspace_id, self._served, used)
        try:
            with self._requests.hold(self._running):
                yield
        except BaseException as error:
            if self._is_settled:
                raise
            if self._is_handed_over(error):
                self._billing.release(reservation)
                self._is_started = False
                raise
            outcome = self._outcome(used(), error)
            if self._is_started or not isinstance(error, Exception):
                self._run(self._settle_cut(reservation, outcome))
            else:
                self._billing.release(reservation)
            raise

    def deadline(self) -> Deadline:
        """What ends the request if it takes too long."""
        self._deadline = Deadline(self._deadlines, self._elapsed())
        return self._deadline

    def serve(self, served: str, listed_as: str | None = None, *, can_hand_over: bool = False) -> None:
        """Say who is going to answer, before `running`. The limits stay those of the model asked for.

        Args:
            served: id of the model; another one than was asked for has taken the request over, and its price
                is paid.
            listed_as: what the price list calls the model, if it is not by the id.
            can_hand_over: if it has no room or is not there, another one comes, and nothing is billed yet.
        """
        asked = self._order.model if served == self._first_served else served
        self._served = served
        self._priced_as = PriceKey(asked, served, listed_as)
        self._can_hand_over = can_hand_over

    def start(self) -> None:
        """The engine begins: from now on an error is billed too."""
        self._is_started = True
        self._queued = self._elapsed()

    def note_first_token(self) -> None:
        """The first token is there."""
        self._first_token = self._elapsed()
        self._running.first_token_at = self._clock.monotonic()
        if self._deadline is not None:
            self._deadline.first_token()

    async def settle(self, usage: Usage) -> None:
        """Bill the whole answer, before its last event is told.

        Raises:
            LedgerUnavailableError: it cannot be written down now, so the answer must not be completed.
        """
        self._is_settled = True
        outcome = self._outcome(usage, None)
        await asyncio.shield(self._run(self._settle(self._reservation, outcome)))

    async def _settle(self, reservation: Reservation, outcome: Outcome) -> None:
        tokens = outcome.usage.total_tokens - outcome.usage.cached_tokens
        self._context.headers.update(await self._admitted.charge(tokens))
        await self._billing.settle(reservation, outcome)

    async def _settle_cut(self, reservation: Reservation, outcome: Outcome) -> None:
        try:
            await self._settle(reservation, outcome)
        except ApiError as error:
            logger.warning("What a cut request used is not in the ledger yet: %s", error)
        except Exception:
            logger.exception("What a cut request used cannot be settled")

    def _is_handed_over(self, error: BaseException) -> bool:
        """Another model takes the request, of which nothing is answered yet."""
        return (
            self._can_hand_over
            and self._first_token is None
            and isinstance(error, CapacityError | EngineUnavailableError)
        )

    def _billable(self, prompt_tokens: int, max_completion_tokens: int) -> BillableRequest:
        return BillableRequest(
            request_id=self._context.request_id,
            principal=self._context.principal,
            endpoint=self._order.endpoint,
            stream=self._order.stream,
            model_asked=self._order.model,
            model_served=self._served,
            max_prompt_tokens=prompt_tokens,
            max_completion_tokens=max_completion_tokens,
            created=self._context.created,
            metadata=self._order.metadata,
            priced_as=self._priced_as,
        )

    def _outcome(self, usage: Usage, error: BaseException | None) -> Outcome:
        match error:
            case None:
                status, code = Status.OK, None
            case Exception():
                status, code = Status.ERROR, error.type if isinstance(error, ApiError) else EngineError.type
            case _:
                status, code = Status.CANCELLED, None
        outcome = Outcome(
            status=status,
            usage=usage,
            duration=self._elapsed(),
            time_to_first_token=self._first_token,
            error_code=code,
        )
        self._tell(outcome)
        return outcome

    def _tell(self, outcome: Outcome) -> None:
        request = FinishedRequest(
            request_id=self._context.request_id,
            endpoint=self._order.endpoint,
            model_asked=self._order.model,
            model_served=self._served,
            stream=self._order.stream,
            status=outcome.status,
            error=outcome.error_code,
            usage=outcome.usage,
            queued=self._queued,
            time_to_first_token=outcome.time_to_first_token,
            duration=outcome.duration,
        )
        for observer in self._observers:
            observer.finished(request)

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._context.arrived_at
