"""What a workspace that floods does to another: `python -m bench.fairness`.

The built-in model under one server. A quiet client asks for short answers, one after the other, and times
their first token: alone, then beside a flood of long answers from another workspace, then beside the same
flood from its own workspace, where nothing protects it.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median, quantiles

import httpx

from bench.client import stream_chat
from bench.servers import KEY, Server, tramontane

ADMIN_KEY = "bench-admin-key"
LONG = {
    "model": "mistral-large-latest",
    "messages": [{"role": "user", "content": "Tell me a very long story about the sea."}],
    "temperature": 1.0,
    "min_tokens": 400,
    "max_tokens": 400,
}
SHORT = {
    "model": "mistral-large-latest",
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 3,
}


async def new_workspace(server: Server) -> str:
    """An API key of a workspace of its own, without limits."""
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx.AsyncClient(base_url=server.base_url, headers=headers, trust_env=False) as client:
        made = await client.post("/v1/admin/workspaces", json={"name": "flood", "plan": "unlimited"})
        made.raise_for_status()
        key = await client.post(
            "/v1/admin/api-keys", json={"workspace_id": made.json()["id"], "name": "flood"}
        )
        key.raise_for_status()
        return str(key.json()["key"])


@asynccontextmanager
async def flood(server: Server, key: str, streams: int) -> AsyncIterator[None]:
    """So many long answers at any time, most of them in the queue."""

    async def ask_on() -> None:
        while True:
            await stream_chat(server.base_url, key, LONG)

    tasks = [asyncio.create_task(ask_on()) for _ in range(streams)]
    await asyncio.sleep(5)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(1)


async def first_tokens(server: Server, requests: int) -> list[float]:
    """Seconds to the first token of each of the quiet client's answers."""
    found = []
    for _ in range(requests):
        found.append((await stream_chat(server.base_url, KEY, SHORT)).first_token)
        await asyncio.sleep(0.2)
    return found


def line(name: str, seconds: list[float], alone: float) -> str:
    """One row of the table."""
    middle, high = median(seconds), quantiles(seconds, n=20)[-1]
    return f"{name:<28}{middle * 1000:9.0f} ms {high * 1000:9.0f} ms {middle / alone:8.2f} times"


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--streams", type=int, default=40)
    parser.add_argument("--slots", type=int, default=16)
    options = parser.parse_args()
    os.environ["TRAMONTANE_ADMIN_KEY"] = ADMIN_KEY
    async with tramontane("--slots", str(options.slots)) as server:
        other = await new_workspace(server)
        await stream_chat(server.base_url, other, SHORT)
        await first_tokens(server, 3)
        alone = await first_tokens(server, options.requests)
        print(f"{'':<28}{'median':>12}{'95 %':>13}")
        print(line("alone", alone, median(alone)))
        async with flood(server, other, options.streams):
            print(
                line("another workspace floods", await first_tokens(server, options.requests), median(alone))
            )
        async with flood(server, KEY, options.streams):
            print(line("its own workspace floods", await first_tokens(server, 5), median(alone)))


if __name__ == "__main__":
    asyncio.run(main())
