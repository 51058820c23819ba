"""A process that asks as often as it can: `python -m tests.support.limit_hammer URL PREFIX`.

Prints "ready". Reads a line with a time of the Redis server in microseconds, asks until then, and prints
every answer: `{limits: [[microseconds, is_admitted], …]}`.
"""

import asyncio
import json
import sys

from tests.support.limits import key, limits_of, redis_store

LIMITS = {
    "experiment": limits_of(requests=60, burst=1),
    "burst": limits_of(requests=1200, burst=20),
    "uneven": limits_of(requests=700, burst=9),
}


async def ask(store, name, until):
    answers, now = [], 0
    while now < until:
        verdict = await store.admit(key(model=name), LIMITS[name], "2026-11")
        now = verdict.at
        answers.append((now, verdict.is_admitted))
    return answers


async def main(url, prefix):
    store = redis_store(url, prefix)
    await store.check()
    print("ready", flush=True)
    until = int(sys.stdin.readline())
    answers = await asyncio.gather(*(ask(store, name, until) for name in LIMITS))
    print(json.dumps(dict(zip(LIMITS, answers, strict=True))))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
