"""What the processes of the billing tests do; each function is the life of one process."""

import asyncio
import os

from tests.support.billing import outcome, request
from tramontane.billing.service import BillingService
from tramontane.core.clock import SystemClock
from tramontane.errors import SpendingLimitError


def settle_until_killed(place, pipe):
    """Eight requests side by side, again and again. Writes "began ID" and "settled ID" to the pipe."""
    asyncio.run(_settle(place, pipe))


def settle_once_each(place, requests, pipe):
    """`requests` at once; writes "charged" for each that a spending limit let run."""
    asyncio.run(_race(place, requests, pipe))


async def _settle(place, pipe):
    billing = BillingService(await place.open(), SystemClock())
    await billing.start()

    async def work():
        while True:
            asked = request(max_completion_tokens=10)
            os.write(pipe, f"began {asked.request_id}\n".encode())
            reservation = await billing.reserve(asked)
            await asyncio.sleep(0)
            await billing.settle(reservation, outcome(100, 10))
            os.write(pipe, f"settled {asked.request_id}\n".encode())

    await asyncio.gather(*(work() for _ in range(8)))


async def _race(place, requests, pipe):
    database = await place.open()
    billing = BillingService(database, SystemClock())
    await billing.start()
    os.write(pipe, b"ready\n")

    async def run_one():
        try:
            reservation = await billing.reserve(request())
        except SpendingLimitError:
            return
        await asyncio.sleep(0)
        await billing.settle(reservation, outcome())
        os.write(pipe, b"charged\n")

    await asyncio.gather(*(run_one() for _ in range(requests)))
    await billing.close()
    await database.close()
