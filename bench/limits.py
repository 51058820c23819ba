"""What admission costs: `python -m bench.limits [--redis URL]`.

Times one `admit` and one `charge` of the whole service, with its caches and headers, in memory and in Redis,
beside what each must cost at least: an empty coroutine, and a PING over the same connection.
"""

import argparse
import asyncio
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from redis.asyncio import Redis

from tramontane.accounts.entities import DEFAULT_WORKSPACE_ID
from tramontane.accounts.service import AccountsService
from tramontane.core.clock import SystemClock
from tramontane.limits.figures import Changes
from tramontane.limits.memory import MemoryLimitStore
from tramontane.limits.override_service import OverrideService
from tramontane.limits.redis import RedisLimitStore
from tramontane.limits.service import LimitsService
from tramontane.limits.store import LimitStore
from tramontane.storage.database import Database
from tramontane.storage.redis import RedisServer

ROUNDS = 7
CALLS = 2000
MICROSECONDS = 1_000_000


async def nothing() -> None:
    """The least that an awaited call costs."""


async def no_tokens(*_of: object) -> int:
    """A ledger without rows."""
    return 0


async def cost(call: Callable[[], Awaitable[object]]) -> float:
    """Microseconds of one call, the median of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(CALLS):
            await call()
        rounds.append((time.perf_counter() - started) / CALLS * MICROSECONDS)
    return median(rounds)


async def measure(database: Database, store: LimitStore, floor: Callable[[], Awaitable[object]]) -> list[str]:
    """A line for each step."""
    service = LimitsService(database, store, SystemClock(), no_tokens)

    async def admit() -> None:
        (await service.admit(DEFAULT_WORKSPACE_ID, "bench")).headers  # noqa: B018  building them counts

    admitted = await service.admit(DEFAULT_WORKSPACE_ID, "bench")
    least = await cost(floor)
    steps = {"admit": await cost(admit), "charge": await cost(lambda: admitted.charge(1))}
    return [f"{name:<8}{took:9.1f} µs {took / least:9.1f} times" for name, took in steps.items()]


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", metavar="URL", help="also in this Redis, under keys of its own")
    url = parser.parse_args().redis
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(Path(folder))
        clock = SystemClock()
        await AccountsService(database, clock).ensure_default("experiment")
        many = Changes(requests_per_minute=60_000_000, burst=60_000, tokens_per_minute=10**12)
        # Admits all, and still counts each.
        await OverrideService(database).change(DEFAULT_WORKSPACE_ID, None, many)
        print("in memory, beside an empty coroutine")
        print(*await measure(database, MemoryLimitStore(clock), nothing), sep="\n")
        if url:
            client = Redis.from_url(url)
            store = RedisLimitStore(RedisServer(url), prefix=f"tramontane-bench-{uuid.uuid4().hex}:")
            print("in Redis, beside a PING")
            print(*await measure(database, store, client.ping), sep="\n")
            await store.close()
            await client.aclose()
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
