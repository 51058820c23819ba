"""The money side of a request: admitted by the limits, reserved in the budget, settled in the ledger.

The stages in between see a `Meter` and nothing of limits or prices. However a request ends, it is settled
once: a whole answer before its last event is told, one that was cut as soon as it is cut.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tramontane.billing.entities import BillableRequest, Endpoint, Outcome, Reservation, Status
from tramontane.billing.service import BillingService
from tramontane.core.clock import Clock
from tramontane.core.context import RequestContext
from tramontane.core.usage import Usage
from tramontane.errors import ApiError, EngineError
from tramontane.limits.service import Admitted, LimitsService

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What the ledger keeps of a request beside its tokens."""

    endpoint: Endpoint
    model: str
    """The id that was asked for."""
    stream: bool = False
    metadata: Mapping[str, Any] | None = None


class Metering:
    """Admits requests and hands out their meters."""

    def __init__(self, limits: LimitsService, billing: BillingService, clock: Clock) -> None:
        self._limits = limits
        self._billing = billing
        self._clock = clock
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
        return Meter(self._billing, self._clock, context, order, served, admitted, self._run)

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
        self,
        billing: BillingService,
        clock: Clock,
        context: RequestContext,
        order: Order,
        served: str,
        admitted: Admitted,
        run: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
    ) -> None:
        self._billing = billing
        self._clock = clock
        self._context = context
        self._order = order
        self._served = served
        self._admitted = admitted
        self._run = run
        self._first_token: float | None = None
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
        try:
            yield
        except BaseException as error:
            if self._is_settled:
                raise
            if self._is_started or not isinstance(error, Exception):
                self._run(self._settle_cut(reservation, self._outcome(used(), error)))
            else:
                self._billing.release(reservation)
            raise

    def start(self) -> None:
        """The engine begins: from now on an error is billed too."""
        self._is_started = True

    def note_first_token(self) -> None:
        """The first token is there."""
        self._first_token = self._elapsed()

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
        )

    def _outcome(self, usage: Usage, error: BaseException | None) -> Outcome:
        match error:
            case None:
                status, code = Status.OK, None
            case Exception():
                status, code = Status.ERROR, error.type if isinstance(error, ApiError) else EngineError.type
            case _:
                status, code = Status.CANCELLED, None
        return Outcome(
            status=status,
            usage=usage,
            duration=self._elapsed(),
            time_to_first_token=self._first_token,
            error_code=code,
        )

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._context.arrived_at
