"""One of the servers that are compared under the same load."""

from dataclasses import dataclass

from bench.load import Ask, Load, press
from bench.servers import cpu_seconds


@dataclass(frozen=True, slots=True)
class Side:
    """Its process, and what it is asked: for a short answer, and for a long stream."""

    name: str
    pid: int
    short: Ask
    long: Ask

    async def press(self, ask: Ask, clients: int, seconds: float) -> tuple[Load, float]:
        """The load, and the seconds of the server's CPU time that it took."""
        before = cpu_seconds(self.pid)
        load = await press(ask, clients, seconds)
        return load, cpu_seconds(self.pid) - before
