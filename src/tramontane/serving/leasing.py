"""A loaded model for one request."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from tramontane.models.loader import ModelT
from tramontane.models.served import ServedModel
from tramontane.serving.metering import Meter


@asynccontextmanager
async def leased(served: ServedModel[ModelT], meter: Meter) -> AsyncGenerator[ModelT]:
    """The model, loaded if need be, and kept loaded to the end of the block.

    Raises:
        DeadlineError: the loading takes longer than the request may.
        CapacityError, EngineUnavailableError: as `ServedModel.lease`.
    """
    async with AsyncExitStack() as stack:
        async with meter.deadline():
            model = await stack.enter_async_context(served.lease())
        yield model
