"""Processes that are asked by a line of JSON and answer with one, the first unasked when they are ready."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Lines:
    """One that is ready."""

    process: asyncio.subprocess.Process
    hello: Mapping[str, Any]
    """What it said when it was ready."""

    async def ask(self, request: Mapping[str, Any]) -> Any:
        """Its answer.

        Raises:
            RuntimeError: it ended instead.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        return await _answer(self.process)


@contextlib.asynccontextmanager
async def lines(*command: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Lines]:
    """Run `command` until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 26, env=env
    )
    assert process.stdin is not None
    try:
        yield Lines(process, await _answer(process))
    finally:
        process.stdin.close()
        await process.wait()


async def _answer(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"a process of the benchmark ended with {await process.wait()}")
    return json.loads(line)
