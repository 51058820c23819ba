"""`make soak`: half an hour of clients of every kind, and then a reckoning.

Clients ask for whole answers and streams, leave in the middle and before the beginning, send garbage, wrong
keys and half requests, and change between the models. All the while a spending limit makes every request
reserve its worst case. At the end nothing may be left over: every request was answered, the ledger has what
clients counted, no slot, reservation or row waits, no file is open that was not, and memory has not grown
since the warm-up.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.servers import KEY, Server, free_port, resident_megabytes, running

ADMIN_KEY = "soak-admin-key"
PATIENCE = 120.0
"""Seconds after which a request counts as unanswered."""
WARM_UP = 0.25
"""Of the time, after which memory may not grow any more."""
MAX_GROWTH = 1.10
MODELS = ("mistral-small-latest", "mistral-large-latest", "open-mistral-nemo", "no-such-model")
GARBAGE = (b"", b"{", b"[" * 5000, b'{"model": 5}', b"\xff\xfe", b'{"model": "x", "messages": "y", "n": -1}')
SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}


@dataclass
class Account:
    """What the clients have seen."""

    whole: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Prompt and completion tokens of answers that were read to their end, by id."""
    statuses: Counter[str] = field(default_factory=Counter)
    unanswered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def take(self, answer: dict[str, object]) -> None:
        """A whole answer, or the last frame of a stream."""
        usage = answer["usage"]
        assert isinstance(usage, dict)
        self.whole[str(answer["id"])] = (usage["prompt_tokens"], usage.get("completion_tokens", 0))


class Client:
    """Does one thing after another, chosen by chance."""

    def __init__(self, server: Server, account: Account, chance: random.Random) -> None:
        self._server = server
        self._account = account
        self._chance = chance
        headers = {"authorization": f"Bearer {KEY}"}
        self._http = httpx.AsyncClient(
            base_url=server.base_url, headers=headers, timeout=PATIENCE, trust_env=False
        )

    async def run(self, until: float) -> None:
        """Until that time of the monotonic clock."""
        deeds = [self.whole, self.whole, self.stream, self.stream, self.leave_a_stream, self.leave_at_once]
        deeds += [
            self.embed,
            self.fim,
            self.garbage,
            self.wrong_key,
            self.half_a_request,
            self.schema,
            self.look,
        ]
        while time.monotonic() < until:
            deed = self._chance.choice(deeds)
            try:
                await deed()
            except httpx.TimeoutException:
                self._account.unanswered.append(deed.__name__)
            except (httpx.TransportError, OSError) as error:
                self._account.wrong.append(f"{deed.__name__}: {error!r}")
            if self._chance.random() < 0.1:
                await self._http.aclose()
                self.__init__(self._server, self._account, self._chance)  # type: ignore[misc]
        await self._http.aclose()

    def _chat(self, **more: object) -> dict[str, object]:
        words = " ".join(
            self._chance.choices(["sea", "wind", "salt", "ship"], k=self._chance.randint(1, 200))
        )
        return {
            "model": self._chance.choice(MODELS),
            "messages": [{"role": "user", "content": words}],
            "max_tokens": self._chance.randint(1, 60),
            **more,
        }

    async def _post(self, path: str, body: dict[str, object]) -> None:
        answer = await self._http.post(path, json=body)
        self._note(answer.status_code)
        if answer.status_code == 200:
            self._account.take(answer.json())

    def _note(self, status: int) -> None:
        self._account.statuses[str(status)] += 1
        if status >= 500:
            self._account.wrong.append(f"status {status}")

    async def whole(self) -> None:
        """A whole answer."""
        await self._post("/v1/chat/completions", self._chat(n=self._chance.choice([1, 1, 2])))

    async def embed(self) -> None:
        """Vectors of some texts."""
        await self._post("/v1/embeddings", {"model": "mistral-embed", "input": ["sea", "wind"]})

    async def fim(self) -> None:
        """What stands between two pieces of code."""
        body = {"model": "codestral-latest", "prompt": "def f(", "suffix": "return 1", "max_tokens": 10}
        await self._post("/v1/fim/completions", body)

    async def schema(self) -> None:
        """JSON of a schema with a pattern that makes other engines sweat."""
        form = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
        await self._post("/v1/chat/completions", self._chat(response_format=form))

    async def stream(self) -> None:
        """A stream, read to its end."""
        last, done = b"", False
        async with self._http.stream("POST", "/v1/chat/completions", json=self._chat(stream=True)) as answer:
            self._note(answer.status_code)
            async for line in answer.aiter_lines():
                done = done or line == "data: [DONE]"
                if line.startswith("data: {"):
                    last = line[6:].encode()
        if answer.status_code == 200 and not done:
            self._account.wrong.append(f"a stream ended with {last!r:.200}")
        elif done:
            self._account.take(json.loads(last))

    async def leave_a_stream(self) -> None:
        """A stream, left in the middle."""
        body = self._chat(stream=True, max_tokens=400)
        left = self._chance.randint(1, 10)
        async with self._http.stream("POST", "/v1/chat/completions", json=body) as answer:
            self._note(answer.status_code)
            async for _ in answer.aiter_lines():
                left -= 1
                if not left:
                    break

    async def leave_at_once(self) -> None:
        """A whole answer that nobody waits for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._chance.uniform(0.001, 0.2)):
                await self._post("/v1/chat/completions", self._chat(max_tokens=400))

    async def garbage(self) -> None:
        """What is no request."""
        answer = await self._http.post(
            "/v1/chat/completions",
            content=self._chance.choice(GARBAGE),
            headers={"content-type": "application/json"},
        )
        self._note(answer.status_code)

    async def wrong_key(self) -> None:
        """Somebody else."""
        answer = await self._http.get("/v1/models", headers={"authorization": "Bearer tm_wrong"})
        self._note(answer.status_code)

    async def look(self) -> None:
        """The models, and the metrics."""
        self._note((await self._http.get("/v1/models")).status_code)
        self._note((await self._http.get("/metrics")).status_code)

    async def half_a_request(self) -> None:
        """Bytes, and then nobody."""
        host, port = self._server.base_url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
        await writer.drain()
        writer.close()


@dataclass(frozen=True, slots=True)
class Sample:
    """The server, seen from outside."""

    minute: float
    megabytes: float
    workers_megabytes: float
    files: int


def sample(server: Server, began: float) -> Sample:
    """Now."""
    sizes = resident_megabytes(server.pid)
    main = sizes.pop("server")
    files = len(os.listdir(f"/proc/{server.pid}/fd"))  # noqa: PTH208
    return Sample((time.monotonic() - began) / 60, main, sum(sizes.values()), files)


async def limit_spending(server: Server) -> None:
    """So that each request reserves something."""
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx.AsyncClient(base_url=server.base_url, headers=headers, trust_env=False) as client:
        answer = await client.post("/v1/admin/spend-limit", json={"amount": 1_000_000})
        answer.raise_for_status()


async def settled(server: Server) -> dict[str, float]:
    """The gauges once all is settled, or after a minute."""
    names = ("running", "waiting", "ledger_backlog_rows")
    async with httpx.AsyncClient(base_url=server.base_url, trust_env=False) as client:
        for _ in range(60):
            lines = (await client.get("/metrics")).text.splitlines()
            found = {
                name: sum(float(one.split()[-1]) for one in lines if one.startswith(f"tramontane_{name}"))
                for name in names
            }
            if not any(found.values()):
                break
            await asyncio.sleep(1)
    return found


def reckon(database: Path, account: Account) -> list[str]:
    """What the ledger has otherwise than the clients."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = {
            row[0]: row[1:]
            for row in connection.execute(
                "SELECT request_id, prompt_tokens, completion_tokens, status FROM ledger"
            )
        }
        reserved = connection.execute("SELECT count(*) FROM reservations").fetchone()[0]
        held = connection.execute("SELECT coalesce(sum(reserved), 0) FROM spending").fetchone()[0]
        daily = connection.execute(
            "SELECT sum(requests), sum(prompt_tokens), sum(completion_tokens) FROM usage_daily"
        ).fetchone()
    problems = []
    for request_id, tokens in account.whole.items():
        if rows.get(request_id) != (*tokens, "ok"):
            problems.append(f"{request_id}: {rows.get(request_id)} in the ledger, {tokens} at the client")
    sums = (len(rows), sum(row[0] for row in rows.values()), sum(row[1] for row in rows.values()))
    if daily != sums:
        problems.append(f"the daily sums are {daily}, those of the rows {sums}")
    if reserved or held:
        problems.append(f"{reserved} reservations are left, of {held}")
    unknown = sum(row[2] == "ok" and request_id not in account.whole for request_id, row in rows.items())
    print(
        f"ledger: {len(rows)} rows, of which clients read {len(account.whole)} to their end, "
        f"and left {unknown} at the very end"
    )
    return problems


def growth(samples: list[Sample]) -> list[str]:
    """What has grown since the warm-up: the middle of the first samples after it, and of the last."""
    after = [one for one in samples if one.minute >= samples[-1].minute * WARM_UP]
    few = max(1, len(after) // 5)

    def middle(part: list[Sample], name: str) -> float:
        values = sorted(getattr(one, name) for one in part)
        return float(values[len(values) // 2])

    problems = []
    for name in ("megabytes", "workers_megabytes", "files"):
        first, last = middle(after[:few], name), middle(after[-few:], name)
        begin = middle(samples[:1], name)
        print(f"{name}: {begin:.0f} at first, {first:.0f} after the warm-up, {last:.0f} at last")
        if last > first * MAX_GROWTH + 5:
            problems.append(f"{name} grew from {first:.0f} to {last:.0f}")
    return problems


async def soak(minutes: float, clients: int, engine: str, seed: int) -> list[str]:
    """Everything; returns what went wrong."""
    port = free_port()
    command = [sys.executable, "-m", "tramontane", "serve", "--port", str(port), "--engine", engine]
    command += ["--plan", "unlimited", "--log-level", "error"]
    # A small cache is full after the warm-up: what grows then is a leak.
    paced = ["--fake-tokens-per-second", "300"]
    command += paced if engine == "fake" else ["--kv-cache-tokens", "8192"]
    account, samples = Account(), []
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        keys = {"TRAMONTANE_API_KEY": KEY, "TRAMONTANE_ADMIN_KEY": ADMIN_KEY, "TRAMONTANE_DATA_DIR": folder}
        url = f"http://127.0.0.1:{port}"
        server = await stack.enter_async_context(running(command, url, "/health/ready", keys))
        await limit_spending(server)
        began = time.monotonic()
        working = [
            asyncio.create_task(
                Client(server, account, random.Random(seed + number)).run(began + minutes * 60)
            )
            for number in range(clients)
        ]
        while not all(task.done() for task in working):
            samples.append(sample(server, began))
            await asyncio.wait(working, timeout=max(1.0, minutes))
        for task in working:
            task.result()
        left = await settled(server)
        await asyncio.sleep(2)
        samples.append(sample(server, began))
        problems = [f"{name} is {value}" for name, value in left.items() if value]
        problems += reckon(Path(folder) / "tramontane.db", account)
    problems += growth(samples[:-1])
    print(f"statuses: {dict(account.statuses)}")
    problems += [f"unanswered: {Counter(account.unanswered)}"] if account.unanswered else []
    problems += [f"{number} times {what}" for what, number in Counter(account.wrong).items()]
    return problems


def main() -> None:
    """Soak, and say what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--engine", choices=["fake", "openvino"], default="openvino")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    problems = asyncio.run(soak(options.minutes, options.clients, options.engine, options.seed))
    print(*(problems or ["nothing is left over"]), sep="\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
