"""An editor that asks at every keystroke, alone and beside a busy chat, in turn on one machine."""

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bench.client import stream_chat, stream_fim
from bench.servers import KEY, Server

CHATS = 4
"""Answers of a chat that run beside the editor."""
FILE = "".join(f"def function_{number}(value):\n    return value + {number}\n\n" for number in range(40))
TYPED = "def total(values):\n    return s"


@dataclass(slots=True)
class Keystrokes:
    """Seconds from a keystroke to the first token of its answer, of those after the first of each round."""

    prompt_tokens: int = 0
    alone: list[float] = field(default_factory=list)
    beside_chat: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Medians: beside the chat over alone."""
        return statistics.median(self.beside_chat) / statistics.median(self.alone)


async def type_and_wait(server: Server, rounds: int) -> Keystrokes:
    """Run `rounds` rounds of: alone, beside the chat."""
    measured = Keystrokes()
    for number in range(rounds):
        measured.alone += await _typed(server, f"alone {number}", measured)
        async with _chat(server, number):
            measured.beside_chat += await _typed(server, f"beside {number}", measured)
    return measured


async def _typed(server: Server, name: str, measured: Keystrokes) -> list[float]:
    """One text, letter by letter; the first request, whose prompt no cache knows, does not count."""
    seconds = []
    for length in range(1, len(TYPED) + 1):
        body = {
            "model": "smollm2-135m-instruct",
            "prompt": f"# {name}\n{FILE}{TYPED[:length]}",
            "temperature": 0,
            "max_tokens": 8,
            "min_tokens": 1,
            "prompt_cache_key": name,
        }
        result = await stream_fim(server.base_url, KEY, body)
        measured.prompt_tokens = result.prompt_tokens
        seconds.append(result.first_token)
    return seconds[1:]


@contextlib.asynccontextmanager
async def _chat(server: Server, number: int) -> AsyncIterator[None]:
    """Long answers without a pause, until the end of the block."""
    chats = [asyncio.create_task(_talk(server, f"{number}.{chat}")) for chat in range(CHATS)]
    try:
        await asyncio.sleep(1)  # until all of them speak
        yield
    finally:
        for chat in chats:
            chat.cancel()
        await asyncio.gather(*chats, return_exceptions=True)


async def _talk(server: Server, name: str) -> None:
    turn = 0
    while True:
        turn += 1
        text = f"Story {name}.{turn}: " + "tell me all about the sea and the wind. " * 30
        await stream_chat(
            server.base_url,
            KEY,
            {
                "model": "smollm2-135m-instruct",
                "messages": [{"role": "user", "content": text}],
                "max_tokens": 256,
                "min_tokens": 256,
            },
        )
