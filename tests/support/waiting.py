"""Patience: a test waits for what will happen, as long as a slow machine may take."""

import asyncio
import time

PATIENCE = 60


async def eventually(holds):
    """Wait until `holds()` is true."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it has not come true"
        await asyncio.sleep(0.01)


async def eventually_read(read, holds):
    """Await `read()` until `holds` is true of what it returns; returns that."""
    deadline = time.monotonic() + PATIENCE
    while not holds(found := await read()):
        assert time.monotonic() < deadline, f"it has not come true: {found!r:.2000}"
        await asyncio.sleep(0.01)
    return found


def eventually_now(holds):
    """The same where there is no event loop."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.01)
