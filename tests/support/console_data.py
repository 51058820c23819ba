"""A ledger with something in it, for pages that show it."""

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor

from tests.support.billing import outcome, request
from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, OPERATOR_KEY_ID
from tramontane.billing.entities import Endpoint, Status
from tramontane.billing.service import BillingService
from tramontane.console.handover import CONSOLE_KEY_ID
from tramontane.core.clock import SystemClock
from tramontane.core.principal import Principal
from tramontane.storage.database import Database

DAY = 24 * 3600


def fill_ledger(data_dir, count, model_served="fake", days=14):
    """Write `count` requests of the last `days` days into the database of a server that may run."""
    with ThreadPoolExecutor(1) as thread:  # a loop may run in this one
        thread.submit(asyncio.run, _fill(data_dir, count, model_served, days)).result()


async def _fill(data_dir, count, model_served, days):
    database = await Database.open(data_dir)
    billing = BillingService(database, SystemClock())
    await billing.start()
    await asyncio.gather(*(_settle(billing, number, count, model_served, days) for number in range(count)))
    await billing.close()
    await database.close()


async def _settle(billing, number, count, model_served, days):
    chance = random.Random(number)
    endpoint, model = chance.choice(
        [
            (Endpoint.CHAT, "mistral-large-2411"),
            (Endpoint.CHAT, "mistral-small-2506"),
            (Endpoint.FIM, "codestral-2508"),
        ]
    )
    status = chance.choices([Status.OK, Status.ERROR, Status.CANCELLED], [94, 3, 3])[0]
    billed = request(
        principal=Principal(
            DEFAULT_ORGANIZATION_ID, DEFAULT_WORKSPACE_ID, chance.choice([OPERATOR_KEY_ID, CONSOLE_KEY_ID])
        ),
        created=int(time.time() - days * DAY * number / count),
        endpoint=endpoint,
        model_asked=model,
        model_served=model_served,
    )
    reservation = await billing.reserve(billed)
    prompt, completion = chance.randint(50, 90_000), chance.randint(10, 9_000)
    what = outcome(
        prompt,
        completion,
        prompt // 4,
        status,
        time_to_first_token=chance.uniform(0.02, 0.4),
        duration=chance.uniform(0.4, 6),
        error_code="internal_server_error" if status is Status.ERROR else None,
    )
    await billing.settle(reservation, what)
