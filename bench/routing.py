"""Where a conversation should go: a simulation of a thousand servers, with the pool that the product uses.

`python -m bench.routing` prints a table. Nothing is measured but the choice itself: servers are modelled.
Each reads prompts one after another at a fixed pace, all but what its prefix cache holds (whole conversations
and system prompts, least recently used first out), and then writes all its answers side by side, the slower
the more there are.
"""

import argparse
import heapq
import itertools
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, quantiles
from typing import Final

from tramontane.core.clock import SystemClock
from tramontane.engines.upstream.options import PoolOptions
from tramontane.engines.upstream.pool import Pool
from tramontane.engines.upstream.replica import Replica

PREFILL: Final = 12_000
"""Tokens a second of one server: an 8B model on one large GPU."""
DECODE: Final = 80
"""Tokens a second of one answer on a server that is not busy."""
SIDE_BY_SIDE: Final = 32
"""Answers that a server writes without slowing down."""
CACHE: Final = 300_000
"""Tokens in the prefix cache of one server."""
APPLICATIONS: Final = 400
"""With a system prompt each; how often they are used falls as Zipf says."""


@dataclass(slots=True)
class Conversation:
    """What somebody says to an application, turn by turn."""

    id: int
    application: int
    system: int
    """Tokens of the application's system prompt."""
    turns: int
    said: int = 0
    """Tokens of all turns so far."""

    @property
    def affinity(self) -> bytes:
        """Its beginning stands for it, as in the product."""
        return self.id.to_bytes(8)


@dataclass(slots=True)
class Server:
    """A model of a server that answers one request after another and remembers what it has read."""

    cached: OrderedDict[tuple[str, int], int] = field(default_factory=OrderedDict)
    held: int = 0
    free_at: float = 0.0
    work: float = 0.0
    """Seconds of reading, all in all."""

    def known(self, conversation: Conversation) -> int:
        """Tokens of the prompt that need not be read again."""
        system = self.cached.get(("system", conversation.application), 0)
        return system + (self.cached.get(("said", conversation.id), 0) if system else 0)

    def remember(self, kind: str, number: int, tokens: int) -> None:
        """Keep them, at the expense of what was not used for longest."""
        key = (kind, number)
        self.held += tokens - self.cached.pop(key, 0)
        self.cached[key] = tokens
        while self.held > CACHE:
            self.held -= self.cached.popitem(last=False)[1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one policy."""

    name: str
    cached: float
    """Share of the prompt tokens."""
    busiest: float
    """Work of the busiest server over the mean."""
    first_token: Sequence[float]
    """Seconds, all requests."""
    choice: float
    """Seconds to choose one server, mean."""


Policy = Callable[[Pool, bytes, random.Random], Replica]


def by_chance(pool: Pool, affinity: bytes, chance: random.Random) -> Replica:
    """Any server, as a plain balancer."""
    del affinity
    return chance.choice(pool.replicas)


def least_outstanding(pool: Pool, affinity: bytes, chance: random.Random) -> Replica:
    """The one with the least to do."""
    del affinity, chance
    return pool.choose(None)


def by_prefix(pool: Pool, affinity: bytes, chance: random.Random) -> Replica:
    """The product's own choice."""
    del chance
    return pool.choose(affinity)


def simulate(name: str, policy: Policy, servers: int, rate: float, seconds: float, seed: int) -> Outcome:
    """One trace, the same for every policy, of `rate` new conversations a second and server."""
    pool = Pool(PoolOptions(urls=tuple(f"http://gpu{i}/v1" for i in range(servers))), SystemClock())
    models = {id(replica): Server() for replica in pool.replicas}
    chance, order = random.Random(seed + 1), itertools.count()
    events: list[tuple[float, int, str, object]] = []
    for at, conversation in _arrivals(rate * servers, seconds, seed):
        heapq.heappush(events, (at, next(order), "turn", conversation))
    talk = random.Random(seed + 2)
    first_tokens, prompt_tokens, cached_tokens, choosing, choices = [], 0, 0, 0.0, 0
    warm = seconds / 2
    while events:
        now, _, kind, what = heapq.heappop(events)
        if kind == "end":
            assert isinstance(what, Replica)
            what.outstanding -= 1
            continue
        assert isinstance(what, Conversation)
        started = time.perf_counter()
        replica = policy(pool, what.affinity, chance)
        choosing, choices = choosing + time.perf_counter() - started, choices + 1
        server = models[id(replica)]
        what.said += min(int(talk.lognormvariate(4.5, 1.2)) + 1, 16_000)
        prompt = what.system + what.said
        known = min(server.known(what), prompt - 1)
        reading = (prompt - known) / PREFILL
        server.free_at = max(server.free_at, now) + reading
        answer = min(int(talk.lognormvariate(5.2, 0.8)) + 1, 4_000)
        replica.outstanding += 1
        replica.chosen += 1
        slowed = max(1.0, replica.outstanding / SIDE_BY_SIDE)
        end = server.free_at + answer / DECODE * slowed
        what.said += answer
        server.remember("system", what.application, what.system)
        server.remember("said", what.id, what.said)
        if now >= warm:
            server.work += reading
            first_tokens.append(server.free_at - now)
            prompt_tokens, cached_tokens = prompt_tokens + prompt, cached_tokens + known
        heapq.heappush(events, (end, next(order), "end", replica))
        what.turns -= 1
        after = end + talk.lognormvariate(2.5, 0.7)
        if what.turns and after < seconds:
            heapq.heappush(events, (after, next(order), "turn", what))
    work = [server.work for server in models.values()]
    return Outcome(
        name=name,
        cached=cached_tokens / prompt_tokens,
        busiest=max(work) / fmean(work),
        first_token=first_tokens,
        choice=choosing / choices,
    )


def _arrivals(rate: float, seconds: float, seed: int) -> Iterator[tuple[float, Conversation]]:
    """New conversations as a Poisson process."""
    chance = random.Random(seed)
    systems = [min(int(chance.lognormvariate(6.8, 0.9)) + 50, 20_000) for _ in range(APPLICATIONS)]
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(APPLICATIONS)))
    now = 0.0
    for number in itertools.count():
        now += chance.expovariate(rate)
        if now >= seconds:
            return
        [application] = chance.choices(range(APPLICATIONS), cum_weights=weights)
        turns = 1 + min(int(chance.expovariate(1 / 5)), 40)
        yield now, Conversation(number, application, systems[application], turns)


def table(outcomes: Sequence[Outcome]) -> str:
    """In Markdown."""
    lines = [
        "| choice | prompt from the cache | busiest / mean | first token, median | 99 % | one choice |",
        "|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        tail = quantiles(one.first_token, n=100)[98]
        lines.append(
            f"| {one.name} | {one.cached:.0%} | {one.busiest:.2f} | {median(one.first_token) * 1000:.0f} ms "
            f"| {tail * 1000:.0f} ms | {one.choice * 1e6:.0f} µs |"
        )
    return "\n".join(lines)


def main() -> None:
    """All policies on the same trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.25, help="new conversations a second and server")
    parser.add_argument(
        "--seconds", type=float, default=240.0, help="simulated; the first half is not counted"
    )
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    policies: dict[str, Policy] = {
        "by chance": by_chance,
        "fewest requests": least_outstanding,
        "by prefix, with bounded load": by_prefix,
    }
    outcomes = [
        simulate(name, policy, given.servers, given.rate, given.seconds, given.seed)
        for name, policy in policies.items()
    ]
    print(table(outcomes))


if __name__ == "__main__":
    main()
